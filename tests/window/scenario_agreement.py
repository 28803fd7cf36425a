"""One frame of the performance: in the viewport pixel for pixel, and by F12; then two windows."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import inside
from mathutils import Vector
from stage import centre, look_from_the_front

FRAME = 5
WHOLE_REGION = 50 * (2 - 2**0.5)  # the camera's zoom at which its frame is the region
LAMP = (1.0, 0.1, 0.1)


def scenario() -> Iterator[float]:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    inside.install_extension()
    with inside.in_viewport():
        bpy.ops.likeness.import_avatar(
            filepath=str(next(inside.FOLDER.glob("*.likeness"))),
            performance=True,
            match_scene=True,
        )
    scene = bpy.context.scene
    scene.view_settings.view_transform = "Standard"
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0
    scene.frame_set(FRAME)
    proxy = bpy.context.view_layer.objects.active
    bpy.ops.object.select_all(action="DESELECT")
    yield from through_the_camera()
    yield from final_render("f12")
    yield from by_lamplight(proxy)
    yield from second_window(proxy)


def through_the_camera() -> Iterator[float]:
    """The viewport as the camera's picture, one screen pixel for each pixel of a render."""
    _, area, region = inside.viewport()
    space = area.spaces.active
    space.overlay.show_overlays = space.show_gizmo = False
    space.show_region_header = space.show_region_toolbar = space.show_region_tool_header = False
    yield 0.5
    shading = space.shading
    shading.background_type, shading.background_color = "VIEWPORT", (0.0, 0.0, 0.0)
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = region.width, region.height
    render.resolution_percentage = 100
    view = space.region_3d
    view.view_perspective = "CAMERA"
    view.view_camera_zoom, view.view_camera_offset = WHOLE_REGION, (0, 0)
    yield from inside.drawn()
    inside.picture("viewport")
    inside.facts["region"] = (region.x, region.y, region.width, region.height)
    inside.facts["window"] = inside.viewport()[0].height
    inside.facts["frame"] = FRAME


def final_render(name: str) -> Iterator[float]:
    """F12, with nothing around the avatar."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.dither_intensity = 0
    done: list[bool] = []
    bpy.app.handlers.render_complete.append(lambda *_: done.append(True))
    with inside.in_viewport():
        bpy.ops.render.render("INVOKE_DEFAULT")
    for _ in range(120):
        yield 1.0
        if done:
            break
    bpy.data.images["Render Result"].save_render(str(inside.FOLDER / f"{name}.png"))
    bpy.app.handlers.render_complete.clear()
    for window in list(bpy.context.window_manager.windows)[1:]:
        with bpy.context.temp_override(window=window):
            bpy.ops.wm.window_close()


def by_lamplight(proxy: bpy.types.Object) -> Iterator[float]:
    """A red lamp at the right: in Rendered mode, in Solid mode, and by F12."""
    scene = bpy.context.scene
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "SUN"))
    lamp.data.energy, lamp.data.color = 5.0, LAMP
    lamp.rotation_euler = Vector((1, -0.3, 0)).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(lamp)
    scene.likeness_render.light = 0.7
    shading = inside.viewport()[1].spaces.active.shading
    scene.cycles.preview_samples = 1
    shading.type = "RENDERED"
    shading.use_scene_lights_render = shading.use_scene_world_render = True
    for _ in range(3):
        yield from inside.drawn()
    inside.picture("lit_viewport")
    render = scene.render
    render.use_border, render.border_max_x = True, 0.5
    yield from inside.drawn()
    inside.picture("border")
    render.use_border = False
    shading.type = "SOLID"
    yield from inside.drawn()
    inside.picture("lit_solid")
    yield from final_render("lit_f12")
    scene.likeness_render.light = 0.0


def second_window(proxy: bpy.types.Object) -> Iterator[float]:
    """A window of its own that looks from behind, over the right half of the first."""
    head = centre(proxy)
    look_from_the_front(head)
    before = set(bpy.context.window_manager.windows)
    with inside.in_viewport():
        bpy.ops.wm.window_new()
    yield 1.0
    window = next(iter(set(bpy.context.window_manager.windows) - before))
    area = max(window.screen.areas, key=lambda a: a.width * a.height)
    area.type = "VIEW_3D"
    space = area.spaces.active
    space.overlay.show_overlays = space.show_gizmo = False
    space.shading.background_type, space.shading.background_color = "VIEWPORT", (0, 0, 0)
    view = space.region_3d
    view.view_perspective = "ORTHO"
    view.view_rotation = Vector((0, 1, 0)).to_track_quat("Z", "Y")
    view.view_location, view.view_distance = head, 0.7
    for _ in range(10):
        area.tag_redraw()
        yield 0.3
    yield from inside.drawn()
    inside.picture("windows")
    inside.facts["windows"] = [
        (one.x, one.y, one.width, one.height) for one in bpy.context.window_manager.windows
    ]
    inside.facts["second"] = (window.x, window.y, window.width, window.height)
    region = next(region for region in area.regions if region.type == "WINDOW")
    inside.facts["second_region"] = (region.x, region.y, region.width, region.height)
