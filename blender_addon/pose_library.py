"""Poses to pick from: the built-in ones, and Actions of one keyframe marked as assets.

A pose Action has the two slots of every avatar Action, so Blender's Asset Browser, the NLA and the
pose library's bone part know it. Previews show the avatar itself in the pose.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from ..engine.api.poses import EYES, POSES, VISEMES, Pose, sided
from . import actions, pose, pose_preview, sliders
from .actions import BoneChannels
from .pose import PoseData

MARK = "likeness_pose"  # custom property of a pose Action: its category
OWN = "My Poses"
# A viseme leaves eyes and brows alone, a blink leaves the mouth alone.
_REGIONS = {VISEMES: ("JAW", "MOUTH", "TONGUE"), EYES: ("EYES",)}


def built_in(proxy: bpy.types.Object, name: str) -> PoseData:
    """A built-in pose for this avatar: its sliders, and 0 for the rest of what it rules."""
    chosen = POSES[name]
    names = [key.name for key in pose.keys_in(proxy, "ALL")]
    ruled = {key: 0.0 for key in names if _is_ruled(chosen, key)}
    return PoseData(ruled | sided(chosen.values, names))


def saved(scope: bpy.types.BlendData) -> Iterator[bpy.types.Action]:
    """The file's pose Actions, built-in ones that were made assets included, by name."""
    yield from (action for action in scope.actions if action.get(MARK))


def of_action(action: bpy.types.Action) -> PoseData:
    """What a pose Action holds at its first frame."""
    frame = action.frame_range[0]
    values, bones = {}, {}
    for curve in actions.curves_of(action, "KEY"):
        name = curve.data_path.removeprefix('key_blocks["').removesuffix('"].value')
        values[bpy.utils.unescape_identifier(name)] = curve.evaluate(frame)
    for curve in actions.curves_of(action, "OBJECT"):
        name = curve.data_path.removeprefix('pose.bones["').partition('"]')[0]
        turn = bones.setdefault(bpy.utils.unescape_identifier(name), [1.0, 0.0, 0.0, 0.0])
        turn[curve.array_index] = curve.evaluate(frame)
    return PoseData(values, {name: tuple(turn) for name, turn in bones.items()})


def add(
    proxy: bpy.types.Object, name: str, wanted: PoseData, category: str = OWN
) -> bpy.types.Action:
    """A pose as an Action of one keyframe, marked as an asset."""
    shapes = {key: np.array([value]) for key, value in wanted.sliders.items()}
    bones = {key: BoneChannels(None, np.array([turn])) for key, turn in wanted.bones.items()}
    action = actions.write(name, proxy, np.array([1.0]), shapes, bones)
    action[MARK] = category
    action.use_fake_user = True
    actions.mark_asset(action, f"Likeness pose: {name}", (category,))
    pose_preview.draw(action, proxy, wanted)
    return action


def make_assets(proxy: bpy.types.Object) -> Iterator[bpy.types.Action]:
    """The built-in poses as Actions, those that are not there yet, one at each step."""
    present = {(action.get(MARK), action.name) for action in saved(bpy.data)}
    for name, chosen in POSES.items():
        if (chosen.category, chosen.label) not in present:
            yield add(proxy, chosen.label, built_in(proxy, name), chosen.category)


def _is_ruled(chosen: Pose, key: str) -> bool:
    region = sliders.region_of(key)
    if region in {"REDUCED", "OTHER"}:
        return False
    return region in _REGIONS.get(chosen.category, (region,))
