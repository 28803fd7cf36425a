"""What a made-up person does before the camera: expressions, gaze, how head and torso are held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..api.head import HeadParams
from ..api.poses import POSES, sided

GAZE_UNIT = np.radians(30)  # the eye joint's turn at eyeLook* = 1 (docs/ARCHITECTURE.md)
NECK = np.radians([9.0, 14.0, 6.0])  # standard deviations of nodding, turning, tilting
LEAN = np.radians([3.0, 6.0, 3.0])


def act(rng: np.random.Generator, names: tuple[str, ...], count: int) -> HeadParams:
    """`count` poses near the world's origin. One in four is close to neutral."""
    params = HeadParams.neutral(len(names), count)
    expression = np.stack([_expression(rng, names) for _ in range(count)])
    yaw = np.clip(rng.normal(0, 0.3, count), -0.8, 0.8)
    pitch = np.clip(rng.normal(0, 0.2, count), -0.6, 0.6)
    for column, values in _gaze_shapes(yaw, pitch).items():
        expression[:, names.index(column)] = values
    eye = np.stack([-GAZE_UNIT * pitch, GAZE_UNIT * yaw, np.zeros(count)], -1)
    neck = np.clip(rng.normal(size=(count, 3)), -2, 2) * NECK
    return replace(
        params,
        expression=expression.astype(np.float32),
        neck=neck.astype(np.float32),
        eyes=np.stack([eye, eye], 1).astype(np.float32),
        rotation=(np.clip(rng.normal(size=(count, 3)), -2, 2) * LEAN).astype(np.float32),
        translation=rng.normal(0, 0.01, (count, 3)).astype(np.float32),
    )


def _expression(rng: np.random.Generator, names: tuple[str, ...]) -> np.ndarray:
    """Coefficients [E]: one to three named poses and a little of anything, as faces do."""
    total = np.zeros(len(names))
    loud = 0.15 if rng.uniform() < 0.25 else 1.0
    for _ in range(rng.integers(1, 4)):
        pose = POSES[str(rng.choice(list(POSES)))]
        strength = loud * rng.uniform(0.2, 1.0)
        for name, value in sided(pose.values, names).items():
            total[names.index(name)] += strength * value
    total += loud * 0.25 * rng.uniform(size=len(names)) * (rng.uniform(size=len(names)) < 0.12)
    total[names.index("tongueOut")] *= 0.3
    return np.clip(total, 0, 1)


def _gaze_shapes(yaw: np.ndarray, pitch: np.ndarray) -> dict[str, np.ndarray]:
    """The eyeLook expressions of a gaze; +yaw is to the subject's left, +pitch up."""
    shapes = {}
    for side, outwards in (("Left", yaw), ("Right", -yaw)):
        shapes["eyeLookOut" + side] = np.clip(outwards, 0, 1)
        shapes["eyeLookIn" + side] = np.clip(-outwards, 0, 1)
        shapes["eyeLookUp" + side] = np.clip(pitch, 0, 1)
        shapes["eyeLookDown" + side] = np.clip(-pitch, 0, 1)
    return shapes
