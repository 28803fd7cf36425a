"""Import an avatar, look at it in every shading mode, between two cubes, and render it with F12."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import bpy
import inside
from mathutils import Vector
from stage import BLUE, RED, add_cube, centre, look_from_the_front, shoot, wait_for_blue

DRAW = 1.5  # seconds for the window to follow a click


def click(x: int, y: int) -> None:
    """A real click of the left button at a pixel of the screen, from the top left corner."""
    command = ["xdotool", "mousemove", str(x), str(y), "sleep", "0.2", "click", "1"]
    subprocess.run(command, check=True, timeout=20)


def scenario() -> Iterator[float]:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    inside.install_extension()
    _, area, _ = inside.viewport()
    area.spaces.active.show_region_ui = True
    yield DRAW
    inside.picture("empty")
    with inside.in_viewport():
        bpy.ops.likeness.import_avatar(filepath=str(next(inside.FOLDER.glob("*.likeness"))))
    proxy = bpy.context.view_layer.objects.active
    yield DRAW
    panel = next(region for region in area.regions if region.type == "UI")
    inside.facts["sidebar"] = (panel.x, panel.y, panel.width, panel.height)
    click(panel.x + panel.width - 12, inside.HEIGHT - panel.y - panel.height + 244)
    yield DRAW
    inside.picture("tab")
    inside.facts["category"] = panel.active_panel_category
    area.spaces.active.show_region_ui = False
    yield from show(proxy)
    yield from render(proxy)


def show(proxy: bpy.types.Object) -> Iterator[float]:
    """The avatar alone, then between a red cube in front and a blue one behind, in three modes."""
    bpy.context.scene.view_settings.view_transform = "Standard"
    head = centre(proxy)
    look_from_the_front(head)
    points = {
        "head": head,
        "front": head + Vector((0.05, -0.3, 0)),
        "behind": head + Vector((-0.05, 0.3, 0)),
        "beside": head + Vector((-0.2, 0.3, 0)),
        "edge": head + Vector((0.05, 0, 0.06)),
        "empty": head + Vector((0, 0, 0.25)),
    }
    yield from inside.drawn()
    shoot("alone", points)
    bpy.ops.object.select_all(action="DESELECT")
    add_cube("Front", points["front"], 0.05, RED)
    add_cube("Behind", head + Vector((-0.125, 0.3, 0)), 0.2, BLUE)
    for mode in ("SOLID", "MATERIAL", "RENDERED"):
        inside.viewport()[1].spaces.active.shading.type = mode
        yield from wait_for_blue(points["beside"])
        shoot(f"between_{mode.lower()}", points)
        yield from with_overlays(f"overlays_{mode.lower()}", points)
    yield from in_border(points)
    inside.viewport()[1].spaces.active.shading.type = "SOLID"
    bpy.data.objects["Front"].location.y += 0.6
    bpy.data.objects["Behind"].location.y -= 0.6
    yield from inside.drawn()
    shoot("exchanged", points)
    bpy.data.objects["Front"].location.y -= 0.6
    bpy.data.objects["Behind"].location.y += 0.6


def with_overlays(name: str, points: dict[str, Vector]) -> Iterator[float]:
    """The same with overlays on, of which none covers the avatar."""
    overlay = inside.viewport()[1].spaces.active.overlay
    overlay.show_overlays = True
    overlay.show_floor = overlay.show_axis_x = overlay.show_axis_y = False
    overlay.show_extras = overlay.show_bones = overlay.show_cursor = False
    overlay.show_object_origins = overlay.show_relationship_lines = False
    yield from inside.drawn()
    shoot(name, points)
    overlay.show_overlays = False


def in_border(points: dict[str, Vector]) -> Iterator[float]:
    """Rendered mode confined to the left half of the view."""
    space = inside.viewport()[1].spaces.active
    space.use_render_border = True
    space.render_border_min_x, space.render_border_max_x = 0.0, 0.5
    space.render_border_min_y, space.render_border_max_y = 0.0, 1.0
    yield from inside.drawn()
    shoot("border", points)
    space.use_render_border = False


def render(proxy: bpy.types.Object) -> Iterator[float]:
    """F12 with Cycles, seen by an orthographic camera in front of the head."""
    scene = bpy.context.scene
    head = centre(proxy)
    camera = bpy.data.objects.new("Front", bpy.data.cameras.new("Front"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 0.6
    camera.location = head + Vector((0, -1, 0))
    camera.rotation_euler.x = 1.5707963
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = 240
    scene.render.resolution_percentage = 100
    done: list[bool] = []
    bpy.app.handlers.render_complete.append(lambda *_: done.append(True))
    with inside.in_viewport():
        bpy.ops.render.render("INVOKE_DEFAULT")
    for _ in range(90):
        yield 1.0
        if done:
            break
    inside.facts["rendered"] = bool(done)
    yield from inside.drawn()
    inside.picture("f12")
    bpy.data.images["Render Result"].save_render(str(inside.FOLDER / "render.png"))
