"""A saved avatar into the scene: character, performance, footage camera, the scene's settings."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.api.avatar_file import read_avatar
from ..engine.api.baked import BakedAvatar
from . import animation, character


def import_file(
    context: bpy.types.Context, path: str | Path, performance: bool, match_scene: bool
) -> bpy.types.Object:
    """Add the avatar of a .likeness file and return its proxy head. Raises AvatarFileError."""
    return add(context, read_avatar(path), performance, match_scene)


def add(
    context: bpy.types.Context, avatar: BakedAvatar, performance: bool, match_scene: bool
) -> bpy.types.Object:
    """Add a baked avatar; with its performance, and with the scene set as the footage was."""
    proxy = character.build(context, avatar)
    recorded = len(avatar.performance.times) > 0
    if match_scene and recorded:
        animation.match_scene(context.scene, avatar.performance)
        context.scene.camera = animation.add_camera(context, proxy)
    if performance and recorded:
        animation.add_performance(context.scene, proxy)
    return proxy
