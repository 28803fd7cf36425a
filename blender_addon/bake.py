"""What moves an avatar, whatever it is, as keyframes: and between expressions and reduced keys.

Drivers, constraints, NLA and shared Actions are read frame by frame as evaluated. KEYS writes what
was seen. REDUCED also writes the learned blendshapes' weights psi = F(code) + slider, and lets
them alone move the Gaussians; EXPRESSIONS finds the expressions whose F comes closest to psi.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import bpy
import numpy as np

from ..engine.api.baked import BakedAvatar
from ..engine.api.head import HeadParams
from . import actions, head_pose
from .actions import BoneChannels
from .animation import steady_signs
from .avatar_object import BONES, find_rig, read, reduced_name

KEYS, REDUCED, EXPRESSIONS = "KEYS", "REDUCED", "EXPRESSIONS"
_ROUNDS, _STEP = 12, 1e-3  # of the solve for expressions, and its finite differences
_LENGTHS = 0.5 ** np.arange(6)
_FAITH = 0.05  # how much an expression's change counts against a weight's error


class Moment(NamedTuple):
    """One evaluated frame."""

    frame: float
    params: HeadParams  # expressions, neck, jaw, eyes
    weights: np.ndarray  # [K] psi, as the Gaussians have it
    sliders: np.ndarray  # [K] the reduced keys
    bones: dict[str, tuple[np.ndarray, np.ndarray]]  # location [3] and w, x, y, z, bone axes


def moments(
    context: bpy.types.Context, proxy: bpy.types.Object, frames: Sequence[int]
) -> Iterator[Moment]:
    """The avatar at each frame; the scene's frame is put back at the end. Raises LikenessError."""
    scene, avatar = context.scene, read(proxy)
    before = scene.frame_current
    try:
        for frame in frames:
            scene.frame_set(frame)
            depsgraph = context.evaluated_depsgraph_get()
            now = head_pose.read(proxy.evaluated_get(depsgraph), avatar.head, len(avatar.deltas))
            weights = now.follow * avatar.weights(now.params) + now.sliders
            yield Moment(frame, now.params, weights, now.sliders, _visual_bones(proxy, depsgraph))
    finally:
        scene.frame_set(before)


def write(proxy: bpy.types.Object, seen: Sequence[Moment], way: str) -> bpy.types.Action:
    """The moments as the avatar's new Action; drivers on its keys go, NLA tracks are muted."""
    avatar = read(proxy)
    frames = np.array([moment.frame for moment in seen], float)
    expression = np.stack([moment.params.expression for moment in seen])
    reduced = np.stack([moment.sliders for moment in seen])
    if way == REDUCED:
        reduced = np.stack([moment.weights for moment in seen])
        proxy.likeness.follow = 0.0
    elif way == EXPRESSIONS:
        expression = solve_expressions(avatar, seen, _highest(proxy, avatar))
        reduced = np.zeros_like(reduced)
        proxy.likeness.follow = 1.0
    shapes = dict(zip(avatar.head.expression_names, expression.T, strict=True))
    shapes |= {reduced_name(k): reduced[:, k] for k in range(reduced.shape[1])}
    shapes = {n: v for n, v in shapes.items() if n in proxy.data.shape_keys.key_blocks}
    _release(proxy, shapes)
    action = actions.write(f"{proxy.name} Baked", proxy, frames, shapes, _channels(seen))
    actions.assign(proxy, action)
    return action


def solve_expressions(
    avatar: BakedAvatar, seen: Sequence[Moment], highest: np.ndarray
) -> np.ndarray:
    """Expressions [T, E] within 0..`highest` [E] whose weights come closest to those seen.

    Projected Gauss-Newton; what the weights do not tell stays as it was.
    """
    return np.stack([_solve_one(avatar, moment, highest) for moment in seen])


def _solve_one(avatar: BakedAvatar, moment: Moment, highest: np.ndarray) -> np.ndarray:
    start = np.clip(moment.params.expression, 0, highest)
    count = len(start)

    def residuals(expressions: np.ndarray) -> np.ndarray:
        """[B, K + E]: errors of the weights, then the changes from the start, which count less."""
        weights = avatar.weights(_with_expressions(moment.params, expressions))
        return np.concatenate([weights - moment.weights, _FAITH * (expressions - start)], axis=-1)

    found = start
    for _ in range(_ROUNDS):
        left = residuals(np.concatenate([found[None], found + _STEP * np.eye(count)]))
        jacobian = (left[1:] - left[0]).T / _STEP  # [K + E, E]
        slope = jacobian.T @ left[0]
        # At a limit and pushed beyond it: not free to move.
        free = ~((found <= 0) & (slope > 0) | (found >= highest) & (slope < 0))
        step = np.zeros(count)
        step[free] = -np.linalg.lstsq(jacobian[:, free], left[0], rcond=None)[0]
        # Of shorter and shorter steps the best: the map has kinks.
        trials = np.clip(found + step * _LENGTHS[:, None], 0, highest)
        found = trials[np.argmin(np.sum(residuals(trials) ** 2, axis=-1))]
    return found


def _with_expressions(params: HeadParams, expressions: np.ndarray) -> HeadParams:
    """The pose's joints with each of the expressions [B, E]."""

    def repeated(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values, (len(expressions), *np.shape(values)))

    return HeadParams(
        expressions,
        repeated(params.neck),
        repeated(params.jaw),
        repeated(params.eyes),
        repeated(params.rotation),
        repeated(params.translation),
    )


def _highest(proxy: bpy.types.Object, avatar: BakedAvatar) -> np.ndarray:
    blocks = proxy.data.shape_keys.key_blocks
    names = avatar.head.expression_names
    return np.array([blocks[n].slider_max if n in blocks else 0.0 for n in names])


def _visual_bones(
    proxy: bpy.types.Object, depsgraph: bpy.types.Depsgraph
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Bones as constraints and drivers leave them, each in its own axes."""
    rig = find_rig(proxy)
    if rig is None:
        return {}
    posed = rig.evaluated_get(depsgraph)
    found = {}
    for name in BONES.values():
        bone = posed.pose.bones.get(name)
        if bone is not None:
            local = posed.convert_space(
                pose_bone=bone, matrix=bone.matrix, from_space="POSE", to_space="LOCAL"
            )
            location, turn, _ = local.decompose()
            found[name] = (np.array(location), np.array(turn))
    return found


def _channels(seen: Sequence[Moment]) -> dict[str, BoneChannels]:
    channels = {}
    for name in seen[0].bones:
        places = np.stack([moment.bones[name][0] for moment in seen])
        turns = steady_signs(np.stack([moment.bones[name][1] for moment in seen]))
        moves = name == BONES["root"]
        channels[name] = BoneChannels(places if moves else None, turns)
    return channels


def _release(proxy: bpy.types.Object, shapes: dict[str, np.ndarray]) -> None:
    """Make the sliders free and wide enough for the values to come."""
    keys = proxy.data.shape_keys
    for name, values in shapes.items():
        key = keys.key_blocks[name]
        key.driver_remove("value")
        key.slider_max = max(key.slider_max, min(float(values.max()), 10.0))
        key.slider_min = min(key.slider_min, max(float(values.min()), -10.0))
    for owner in actions.animated(proxy):
        for track in owner.animation_data.nla_tracks if owner.animation_data else ():
            track.mute = True
