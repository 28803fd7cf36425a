"""A small stage for render tests: a ball of known Gaussians between two cubes, and a camera.

The ball stands in for an avatar's head: an object marked with a custom property, whose Gaussians
follow its evaluated matrix. What is under test is everything between Gaussians and picture.
"""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from likeness.blender_addon import avatar_object, payload
from likeness.engine.api.baked import GaussianArrays
from mathutils import Vector

MARK = "stage_avatar"
RADIUS = 0.1  # metres
SKIN = np.array([206, 150, 121]) / 255  # display-referred sRGB
SIZE = (160, 90)
ENGINES = {
    "CYCLES": "CYCLES",
    "EEVEE": "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0, 0) else "BLENDER_EEVEE",
}


def ball(count: int = 4000, color: np.ndarray = SKIN) -> GaussianArrays:
    """An opaque ball of one colour: Gaussians evenly on a sphere of RADIUS."""
    index = np.arange(count) + 0.5
    height, turn = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - height**2)
    means = RADIUS * np.stack([ring * np.cos(turn), ring * np.sin(turn), height], -1)
    return GaussianArrays(
        means=means,
        quats=np.tile([1.0, 0, 0, 0], (count, 1)),
        scales=np.full((count, 3), 3 * RADIUS / count**0.5),
        opacities=np.full(count, 0.95),
        colors=np.tile(color, (count, 1)),
    )


def is_avatar(obj: bpy.types.Object) -> bool:
    return MARK in obj


def drawn(one: avatar_object.Appearance, *_: object) -> avatar_object.Drawn:
    """The ball where it appears."""
    gaussians = ball()
    means = gaussians.means @ one.matrix[:3, :3].T + one.matrix[:3, 3]
    return avatar_object.Drawn(gaussians._replace(means=means), RADIUS, 0.0)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let objects with the mark be avatars."""
    monkeypatch.setattr(avatar_object, "is_avatar", is_avatar)
    monkeypatch.setattr(avatar_object, "drawn", drawn)
    monkeypatch.setattr(payload, "is_in_file", lambda: True)


def build(engine: str = "CYCLES", view_transform: str = "Standard") -> bpy.types.Scene:
    """A fresh file: Head, Front and Behind (cubes), a sun and a camera 1 m away."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_uv_sphere_add(radius=RADIUS)
    head = bpy.context.object
    head.name, head[MARK], head.visible_camera = "Head", True, False
    head.display_type = "BOUNDS"  # as character.py leaves a proxy head
    _cube("Front", (0.06, -0.25, 0.0), 0.06, (0.0, 0.0, 1.0))
    _cube("Behind", (-0.12, 0.25, 0.0), 0.2, (0.0, 1.0, 0.0))
    bpy.ops.object.camera_add(location=(0, -1, 0), rotation=(np.pi / 2, 0, 0))
    scene.camera = bpy.context.object
    scene.camera.data.lens = 80
    render = scene.render
    render.engine = ENGINES[engine]
    render.resolution_x, render.resolution_y = SIZE
    render.dither_intensity = 0
    scene.cycles.samples = scene.eevee.taa_render_samples = 4
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = view_transform
    return scene


def _cube(name: str, location: tuple[float, ...], size: float, color: tuple[float, ...]) -> None:
    """A cube that shines in one colour, so that its pixels need no light."""
    bpy.ops.mesh.primitive_cube_add(location=location, size=size)
    bpy.context.object.name = name
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    principled = material.node_tree.nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value = (0, 0, 0, 1)
    principled.inputs["Emission Color"].default_value = (*color, 1)
    principled.inputs["Emission Strength"].default_value = 1
    bpy.context.object.data.materials.append(material)


def picture(path: str) -> np.ndarray:
    """[H, W, 4] of a saved picture as stored, 0..1, rows from the bottom up."""
    image = bpy.data.images.load(path)
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)


def shoot(scene: bpy.types.Scene, folder: object, suffix: str = "png") -> np.ndarray:
    """Render a still of the current frame; its pixels as `picture` gives them."""
    scene.render.filepath = f"{folder}/still.{suffix}"
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return picture(scene.render.filepath)


def pixel_of(scene: bpy.types.Scene, point: tuple[float, ...]) -> tuple[int, int]:
    """Row and column of the pixel that shows a point of the world."""
    bpy.context.view_layer.update()
    x, y, _ = world_to_camera_view(scene, scene.camera, Vector(point))
    assert 0 <= min(x, y) <= max(x, y) < 1, f"{point} is outside the picture"
    scale = scene.render.resolution_percentage / 100
    return int(y * SIZE[1] * scale), int(x * SIZE[0] * scale)


def channels(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The animation curves of an object, which 5.x keeps in the bags of slots."""
    action = obj.animation_data.action
    if bpy.app.version < (5, 0, 0):
        return list(action.fcurves)
    return [
        curve
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        for curve in bag.fcurves
    ]
