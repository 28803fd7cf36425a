"""What a 3D viewport's settings mean for avatars: which it shows, what hides them, where.

It decides only; viewport.py draws.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

import bpy
import numpy as np

from .avatar_object import Appearance


class Occlusion(Enum):
    """What the depth of an avatar is tested against."""

    SCENE = auto()  # the depth that Blender has left in the view
    OWN = auto()  # meshes that we draw, where Blender has left none
    NOTHING = auto()  # meshes can be seen through


class Rectangle(NamedTuple):
    """Pixels of a region, from its lower left corner."""

    x: int
    y: int
    width: int
    height: int


def is_shown(appearance: Appearance, space: bpy.types.SpaceView3D) -> bool:
    """Whether this viewport shows an avatar, by hiding, collections, filters and local view."""
    return space.show_object_viewport_mesh and appearance.shower.visible_get(viewport=space)


def occlusion(space: bpy.types.SpaceView3D) -> Occlusion:
    """What hides avatars in this viewport."""
    shading = space.shading
    if shading.type == "WIREFRAME" or (shading.type == "SOLID" and shading.show_xray):
        return Occlusion.NOTHING
    # EEVEE and Cycles leave no depth while overlays are off.
    if shading.type in {"MATERIAL", "RENDERED"} and not space.overlay.show_overlays:
        return Occlusion.OWN
    return Occlusion.SCENE


class SceneLight(NamedTuple):
    """What of the scene lights avatars in a viewport."""

    lamps: bool
    world: bool


def scene_light(space: bpy.types.SpaceView3D) -> SceneLight:
    """Whether this viewport lights its objects with the scene's lamps and world."""
    shading = space.shading
    if shading.type == "RENDERED":
        return SceneLight(shading.use_scene_lights_render, shading.use_scene_world_render)
    if shading.type == "MATERIAL":
        return SceneLight(shading.use_scene_lights, shading.use_scene_world)
    return SceneLight(False, False)


def render_border(context: bpy.types.Context) -> Rectangle | None:
    """The part of the region to which Rendered mode is confined; None for all of it."""
    space, region, view = context.space_data, context.region, context.region_data
    if space.shading.type != "RENDERED":
        return None
    size = np.array([region.width, region.height])
    if view.view_perspective == "CAMERA":
        camera = space.camera if space.use_local_camera else context.scene.camera
        settings, low, high = context.scene.render, *_camera_frame(context, camera)
        prefix, used = "border_", settings.use_border
    else:
        settings, low, high = space, np.zeros(2), size
        prefix, used = "render_border_", settings.use_render_border
    if not used:
        return None
    begin, end = (
        np.array([getattr(settings, f"{prefix}{bound}_{axis}") for axis in "xy"])
        for bound in ("min", "max")
    )
    first = np.floor(low + begin * (high - low)).astype(int)
    last = np.ceil(low + end * (high - low)).astype(int)
    return Rectangle(*first.tolist(), *np.maximum(last - first, 1).tolist())


def _camera_frame(
    context: bpy.types.Context, camera: bpy.types.Object
) -> tuple[np.ndarray, np.ndarray]:
    """Lower left and upper right corner [2] of what a camera films, in pixels of the region."""
    corners = np.array(camera.data.view_frame(scene=context.scene))  # [4, 3]
    matrix = np.array(context.region_data.perspective_matrix @ camera.matrix_world.normalized())
    clip = np.column_stack([corners, np.ones(4)]) @ matrix.T
    size = np.array([context.region.width, context.region.height])
    places = (clip[:, :2] / clip[:, 3:] + 1) / 2 * size
    return places.min(axis=0), places.max(axis=0)
