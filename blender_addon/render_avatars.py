"""The avatars of a render as one set of Gaussians in Blender's world."""

from __future__ import annotations

from typing import NamedTuple

import bpy
import numpy as np

from ..engine.api.baked import GaussianArrays
from . import avatar_object, scene_light
from .avatar_object import Appearance, Drawn
from .render_settings import LikenessRenderSettings


class Avatars(NamedTuple):
    """Every avatar of a layer in Blender's world, together, so that their Gaussians sort as one."""

    gaussians: GaussianArrays  # those that hold out are black
    cutters: GaussianArrays | None  # the same, white where they hold out; None if none does
    sharpness: float  # 1/metre, c of the soft-front depth
    footprint: float  # m^2, the training blur's size on the smallest head


def gather(depsgraph: bpy.types.Depsgraph, settings: LikenessRenderSettings) -> Avatars:
    """The avatars that the depsgraph shows, instances too, as one set.

    Raises LikenessError as `avatar_object.pose` does.
    """
    shown = [
        one
        for one in avatar_object.appearances(depsgraph)
        if not any(obj.evaluated_get(depsgraph).hide_render for obj in (one.avatar, one.shower))
    ]
    drawn = [_lit(one, depsgraph, settings) for one in shown]
    held = [_holds_out(one) for one in shown]
    gaussians = _joined(drawn)
    cutters = None
    if any(held):
        counts = [len(one.gaussians.means) for one in drawn]
        white = np.repeat(np.array(held, np.float32), counts)[:, None]
        cutters = gaussians._replace(colors=np.repeat(white, 3, axis=1))
        gaussians = gaussians._replace(colors=gaussians.colors * (1 - white))
    return Avatars(
        gaussians=gaussians,
        cutters=cutters,
        sharpness=settings.depth_sharpness / min((one.radius for one in drawn), default=1.0),
        footprint=min((one.footprint for one in drawn), default=0.0),
    )


def _lit(
    one: Appearance, depsgraph: bpy.types.Depsgraph, settings: LikenessRenderSettings
) -> Drawn:
    """An avatar in its place, in the scene's light as far as the settings want it."""
    drawn = avatar_object.drawn(one, depsgraph, settings.level)
    if settings.light <= 0:
        return drawn
    posed = avatar_object.pose(one.avatar, depsgraph, len(drawn.gaussians.means))
    light = scene_light.at(one, posed, depsgraph)
    colors = scene_light.colors(posed, one, depsgraph, light, settings.light)
    return drawn._replace(gaussians=drawn.gaussians._replace(colors=colors))


def _holds_out(one: Appearance) -> bool:
    return one.avatar.is_holdout or one.shower.is_holdout


def _joined(drawn: list[Drawn]) -> GaussianArrays:
    parts = [one.gaussians for one in drawn]
    if not parts:
        parts = [GaussianArrays(*(np.zeros((0, *tail)) for tail in ((3,), (4,), (3,), (), (3,))))]
    return GaussianArrays(*map(np.concatenate, zip(*parts, strict=True)))
