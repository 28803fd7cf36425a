"""Avatars out of the scene: their Gaussians as posed now or over frames, or the avatar's file.

What is written is what the dependency graph shows, in the world, modifiers and scales included.
It does not know file formats (engine.api.splat_files) and asks nobody anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import bpy

from ..engine.api.avatar_file import write_avatar
from ..engine.api.baked import GaussianArrays
from ..engine.api.errors import LikenessError
from ..engine.api.splat_files import turned, write_splats
from . import avatar_object
from .coordinates import TO_BLENDER


class Choice(NamedTuple):
    """What to write and how."""

    path: Path  # .ply or .glb; frames get numbered names beside it
    names: Sequence[str]  # of the avatars' proxy heads
    axes: str = "y-down"
    rest: bool = False
    level: int = 0


def shown_avatars(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Avatars that the view layer shows."""
    return [
        obj
        for obj in context.view_layer.objects
        if avatar_object.is_avatar(obj) and obj.visible_get()
    ]


def write_pose(context: bpy.types.Context, choice: Choice, path: Path | None = None) -> int:
    """Write the avatars as they are posed now. Returns how many Gaussians. Raises LikenessError."""
    depsgraph = context.evaluated_depsgraph_get()
    named = {}
    for name in choice.names:
        obj = bpy.data.objects.get(name)
        if obj is None or not avatar_object.is_avatar(obj):
            raise LikenessError(f"The avatar '{name}' is gone.", "Export again.")
        named[name] = _y_up(avatar_object.evaluate(obj, depsgraph, choice.level))
    return write_splats(path or choice.path, named, choice.axes, choice.rest)


def write_frames(context: bpy.types.Context, choice: Choice, frames: range) -> Iterator[float]:
    """Write one file for each frame, one at each step; yields the share done. Raises LikenessError.

    The scene's frame is put back at the end, also when the steps are closed early.
    """
    scene = context.scene
    before = scene.frame_current
    digits = max(4, len(str(frames[-1])))
    try:
        for index, frame in enumerate(frames):
            scene.frame_set(frame)
            name = f"{choice.path.stem}_{frame:0{digits}d}{choice.path.suffix}"
            write_pose(context, choice, choice.path.with_name(name))
            yield (index + 1) / len(frames)
    finally:
        scene.frame_set(before)


def write_likeness(proxy: bpy.types.Object, path: str | Path) -> None:
    """Write the avatar that the .blend holds to a .likeness file, under the object's name.

    Raises AvatarFileError.
    """
    write_avatar(path, dataclasses.replace(avatar_object.read(proxy), name=proxy.name))


def _y_up(gaussians: GaussianArrays) -> GaussianArrays:
    return turned(gaussians, TO_BLENDER.T)
