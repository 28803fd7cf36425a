"""What window scenarios share: cubes of one colour, a view without decoration, pictures."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import inside
from mathutils import Vector

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


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


def wait_for_blue(point: Vector) -> Iterator[float]:
    """Until a blue thing shows at a point: EEVEE draws nothing until its shaders are compiled."""
    for _ in range(300):
        yield from inside.drawn()
        if inside.color(tuple(point))[2] > 180:
            break
