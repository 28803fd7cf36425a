"""A recorded motion onto an avatar: neutral calibration, strengths, and what the avatar learned.

Another person's rest is not the avatar's, nor is their widest smile. The source's own neutral is
taken off, regions are scaled, and nothing goes beyond what the avatar's footage showed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..engine.api.baked import BakedAvatar
from ..engine.api.rotations import matrix_from_rotvec, quat_from_matrix, rotvec_from_matrix
from . import actions, sliders
from .actions import BoneChannels
from .animation import steady_signs
from .avatar_object import find_rig, read
from .coordinates import rotations_to_blender
from .motion import Motion

RESTING_PERCENTILE = 10.0  # a face is at rest a tenth of the time, in every expression of its own
LEARNED_PERCENTILE = 99.5  # of what the footage showed; the rest are slips of tracking
NECK = "neck"
GAZE = "eyeLook"


@dataclass(frozen=True)
class RetargetSettings:
    """How a motion becomes the avatar's."""

    neutral: str = "AUTO"
    """AUTO takes off how the source person's face rests, FIRST its first moment, NONE nothing."""
    strengths: Mapping[str, float] = field(default_factory=dict)
    """Region of the face -> factor; 1 where none is given."""
    clamp: bool = True
    """Keep to what the avatar's footage showed."""
    head: float = 0.0
    """How much of the head's turning goes to the neck bone; 0 leaves the head alone."""


def retarget(
    motion: Motion, avatar: BakedAvatar, settings: RetargetSettings
) -> dict[str, np.ndarray]:
    """Values [T] of the avatar's expressions. Those that the source lacks are left out."""
    names = avatar.head.expression_names
    highest, lowest = learned_range(avatar)
    curves = {}
    for index, name in enumerate(names):
        if name not in motion.values:
            continue
        values = np.asarray(motion.values[name], float)
        values = without_neutral(values, "NONE" if name.startswith(GAZE) else settings.neutral)
        values = values * settings.strengths.get(sliders.region_of(name), 1.0)
        if settings.clamp:
            values = np.clip(values, lowest[index], highest[index])
        curves[name] = np.clip(values, min(lowest[index], 0.0), max(highest[index], 1.0))
    return curves


def learned_range(avatar: BakedAvatar) -> tuple[np.ndarray, np.ndarray]:
    """Highest and lowest value [E] of each expression in the avatar's footage, 1 and 0 without."""
    seen = np.asarray(avatar.performance.params.expression)[
        np.asarray(avatar.performance.confidence) > 0
    ]
    if len(seen) < 2:
        count = len(avatar.head.expression_names)
        return np.ones(count), np.zeros(count)
    highest = np.percentile(seen, LEARNED_PERCENTILE, axis=0)
    return np.maximum(highest, 0.0), np.minimum(np.percentile(seen, 0.5, axis=0), 0.0)


def without_neutral(values: np.ndarray, neutral: str) -> np.ndarray:
    """Coefficients [T] with rest at 0 and full still at 1."""
    if neutral == "NONE":
        return values
    rest = values[0] if neutral == "FIRST" else np.percentile(values, RESTING_PERCENTILE)
    rest = min(float(rest), 0.9)
    return (values - rest) / (1 - rest)


def head_turns(motion: Motion, settings: RetargetSettings) -> np.ndarray | None:
    """Rotation vectors [T, 3] of the head about how it was usually held, scaled; None for none."""
    if motion.head is None or not settings.head:
        return None
    usual = motion.head[0] if settings.neutral == "FIRST" else np.median(motion.head, axis=0)
    relative = matrix_from_rotvec(usual).T @ matrix_from_rotvec(np.asarray(motion.head, float))
    return rotvec_from_matrix(relative) * settings.head


def write_action(
    scene: bpy.types.Scene,
    proxy: bpy.types.Object,
    motion: Motion,
    settings: RetargetSettings,
    name: str,
) -> bpy.types.Action:
    """Retarget a motion as a new Action from the scene's start on, and play it.

    The head's own Action stays when no head motion is taken over.
    """
    curves = retarget(motion, read(proxy), settings)
    turns = head_turns(motion, settings)
    bones = {} if turns is None else _neck(proxy, turns)
    rate = scene.render.fps / scene.render.fps_base
    frames = scene.frame_start + np.asarray(motion.times, float) * rate
    action = actions.write(name, proxy, frames, curves, bones)
    actions.assign(proxy, action, "ALL" if bones else "FACE")
    return action


def _neck(proxy: bpy.types.Object, turns: np.ndarray) -> dict[str, BoneChannels]:
    rig = find_rig(proxy)
    if rig is None or NECK not in rig.data.bones:
        return {}
    rest = np.array(rig.data.bones[NECK].matrix_local, np.float64)[:3, :3]
    basis = rest.T @ rotations_to_blender(turns) @ rest
    return {NECK: BoneChannels(None, steady_signs(quat_from_matrix(basis)))}
