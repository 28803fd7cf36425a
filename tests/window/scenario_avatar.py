"""Import an avatar, look at it in every shading mode, between two cubes, and render it with F12."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import bpy
import inside
from mathutils import Vector

DRAW = 1.5  # seconds for a redraw on llvmpipe
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def click(x: int, y: int) -> None:
    """A real click of the left button at a pixel of the screen, from the top left corner."""
    command = ["xdotool", "mousemove", str(x), str(y), "sleep", "0.2", "click", "1"]
    subprocess.run(command, check=True, timeout=20)


def centre(proxy: bpy.types.Object) -> Vector:
    """Middle of the head as it is posed now."""
    evaluated = proxy.evaluated_get(bpy.context.evaluated_depsgraph_get())
    corners = [evaluated.matrix_world @ Vector(corner) for corner in evaluated.bound_box]
    return sum(corners, Vector()) / 8


def add_cube(name: str, place: Vector, size: float, color: tuple[float, float, float]) -> None:
    """A cube that shows one colour in every mode: it shines, and reflects nothing."""
    bpy.ops.mesh.primitive_cube_add(location=place, size=size)
    cube = bpy.context.object
    cube.name = name
    cube.color = (*color, 1)
    material = bpy.data.materials.new(name)
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0, 0, 0, 1)
    shader.inputs["Specular IOR Level"].default_value = 0
    shader.inputs["Emission Color"].default_value = (*color, 1)
    shader.inputs["Emission Strength"].default_value = 1
    cube.data.materials.append(material)
    cube.select_set(False)


def look_from_the_front(head: Vector) -> None:
    """Orthographic, along +y, nothing drawn but the scene."""
    _, area, _ = inside.viewport()
    space = area.spaces.active
    space.overlay.show_overlays = False
    space.show_gizmo = False
    view = space.region_3d
    view.view_perspective = "ORTHO"
    view.view_rotation = Vector((0, -1, 0)).to_track_quat("Z", "Y")
    view.view_location = head
    view.view_distance = 0.7
    shading = space.shading
    shading.light, shading.color_type, shading.background_type = "FLAT", "OBJECT", "VIEWPORT"
    shading.background_color = (0.0, 0.0, 0.0)


def shoot(name: str, points: dict[str, Vector]) -> None:
    """A picture, and where points of the world are in it."""
    inside.picture(name)
    inside.facts[name] = {key: inside.pixel(tuple(point)) for key, point in points.items()}


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
        "empty": head + Vector((0, 0, 0.25)),
    }
    yield DRAW
    shoot("alone", points)
    bpy.ops.object.select_all(action="DESELECT")
    add_cube("Front", points["front"], 0.05, RED)
    add_cube("Behind", head + Vector((-0.125, 0.3, 0)), 0.2, BLUE)
    for mode in ("SOLID", "MATERIAL", "RENDERED"):
        inside.viewport()[1].spaces.active.shading.type = mode
        yield DRAW
        for _ in range(60):  # EEVEE draws nothing until its shaders are compiled
            if inside.color(points["beside"])[2] > 180:
                break
            yield DRAW
        yield DRAW
        shoot(f"between_{mode.lower()}", points)
    inside.viewport()[1].spaces.active.shading.type = "SOLID"
    bpy.data.objects["Front"].location.y += 0.6
    bpy.data.objects["Behind"].location.y -= 0.6
    yield DRAW
    shoot("exchanged", points)
    bpy.data.objects["Front"].location.y -= 0.6
    bpy.data.objects["Behind"].location.y += 0.6


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
    yield DRAW
    inside.picture("f12")
    bpy.data.images["Render Result"].save_render(str(inside.FOLDER / "render.png"))
