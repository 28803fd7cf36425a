"""Avatars in a viewport that shows the scene's light: Gaussians on the GPU in other colours."""

from __future__ import annotations

from typing import NamedTuple

import bpy
import numpy as np

from ..engine.api.baked import GaussianArrays
from . import scene_light, viewport_rules
from .avatar_object import Appearance
from .splat_shader import UploadedSplats

_MOST = 8  # places with light of their own

# By the avatar's session_uid, its count of Gaussians, the strength and the light there.
_uploads: dict[tuple[int, int, float, bytes], tuple[GaussianArrays, UploadedSplats]] = {}


class Light(NamedTuple):
    """Light in one place."""

    strength: float
    coefficients: np.ndarray  # [9, 3] of irradiance.py, in the head's space


def forget() -> None:
    """Drop what is kept; for a new file and for unregistering."""
    _uploads.clear()


def find(context: bpy.types.Context, one: Appearance, gaussians: GaussianArrays) -> Light | None:
    """The light in which the context's viewport shows an avatar; None if as it was filmed."""
    strength = context.scene.likeness_render.light
    wanted = viewport_rules.scene_light(context.space_data)
    if strength <= 0 or not wanted.lamps:
        return None
    depsgraph = context.evaluated_depsgraph_get()
    return Light(strength, scene_light.at(one, gaussians, depsgraph, wanted.world))


def lit(
    one: Appearance, gaussians: GaussianArrays, depsgraph: bpy.types.Depsgraph, light: Light
) -> UploadedSplats:
    """The Gaussians (in the head's space) in that light; kept while neither changes."""
    key = (
        one.avatar.session_uid,
        len(gaussians.means),
        light.strength,
        light.coefficients.tobytes(),
    )
    kept = _uploads.pop(key, None)
    if kept is None or kept[0] is not gaussians:
        colors = scene_light.colors(gaussians, one, depsgraph, light.coefficients, light.strength)
        kept = (gaussians, UploadedSplats(gaussians._replace(colors=colors)))
        if len(_uploads) >= _MOST:
            del _uploads[next(iter(_uploads))]
    _uploads[key] = kept
    return kept[1]
