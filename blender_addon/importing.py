"""A saved avatar into the scene: character, performance, footage camera, the scene's settings."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ..engine.api.avatar_file import read_avatar
from ..engine.api.baked import BakedAvatar
from . import animation, avatar_layer, avatar_object, character, footage_camera


def import_file(
    context: bpy.types.Context,
    path: str | Path,
    performance: bool,
    match_scene: bool,
    set_up_render: bool = True,
) -> bpy.types.Object:
    """Add the avatar of a .likeness file and return its proxy head. Raises AvatarFileError."""
    return add(context, read_avatar(path), performance, match_scene, set_up_render)


def add(
    context: bpy.types.Context,
    avatar: BakedAvatar,
    performance: bool,
    match_scene: bool,
    set_up_render: bool = True,
    stored: bpy.types.Mesh | None = None,
) -> bpy.types.Object:
    """Add a baked avatar; with its performance, with the scene set as the footage was, and with
    the layer through which final renders show it. `stored` is its payload where it is written."""
    proxy = character.build(context, avatar, stored)
    avatar_object.find_rig(proxy).location = _clear_place(context, proxy)
    recorded = len(avatar.performance.times) > 0
    if match_scene and recorded:
        footage_camera.match_scene(context.scene, avatar.performance)
        context.scene.camera = footage_camera.add_camera(context, proxy)
        _look_through_camera(context)
    if performance and recorded:
        animation.add_performance(context.scene, proxy)
    context.view_layer.update()
    if set_up_render:
        avatar_layer.set_up(context.scene)
    return proxy


def _clear_place(context: bpy.types.Context, proxy: bpy.types.Object) -> Vector:
    """On the floor at the origin, or in front of what is there: the first cube would hide it."""
    context.view_layer.update()
    low, high = _bounds(proxy)
    lift = Vector((0.0, 0.0, -low[2]))
    low, high = low + lift, high + lift
    others = [
        _bounds(obj)
        for obj in context.view_layer.objects
        if obj.type in {"MESH", "CURVE", "SURFACE", "FONT", "META"}
        and obj != proxy
        and obj.visible_get()
    ]
    in_the_way = [box for box in others if np.all(box[0] < high) and np.all(box[1] > low)]
    if not in_the_way:
        return lift
    front = min(box[0][1] for box in in_the_way)
    return lift + Vector((0.0, front - high[1] - 0.1, 0.0))


def _bounds(obj: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner [3] of an object's box in the world."""
    corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box])
    return corners.min(axis=0), corners.max(axis=0)


def _look_through_camera(context: bpy.types.Context) -> None:
    """Show the footage camera's view in the 3D viewports of the window, where there is one."""
    for area in context.screen.areas if context.screen else ():
        if area.type == "VIEW_3D":
            area.spaces.active.region_3d.view_perspective = "CAMERA"
