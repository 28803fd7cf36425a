"""The jaw's hinge, angle and hold on the skin, read off a head's jawOpen shape. Metres."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..api.head import JOINTS
from ..api.rotations import matrix_from_rotvec
from .alignment import Similarity, similarity
from .builtin import builtin_head
from .builtin_shapes import JAW_OPEN_ANGLE
from .raw_head import RawHead

SMALLEST_TURN = np.deg2rad(4.0)  # below it a hinge cannot be told


class JawMotion(NamedTuple):
    """How jawOpen = 1 turns the jaw's bone about an axis along x."""

    hinge: np.ndarray  # [3]
    angle: float  # radians, positive opens
    share: np.ndarray  # [V] 0..1 of the bone's motion that each vertex takes


def jaw_motion(raw: RawHead, jaw_open: np.ndarray, placed: Similarity) -> JawMotion:
    """The jaw of a head whose jawOpen displaces it by `jaw_open` [V, 3].

    The bone is what moves with the lower teeth, or, without teeth, what moves most. Where the shape
    hardly turns it, our own hinge is carried over.
    """
    length = np.linalg.norm(jaw_open, axis=1)
    bone = raw.lower_teeth
    if bone is None or not len(bone):
        bone = np.flatnonzero(length > 0.85 * length.max())
    hinge = placed.apply(builtin_head().joint_positions[JOINTS.index("jaw")].astype(float))
    angle = float(JAW_OPEN_ANGLE)
    rigid = similarity(raw.vertices[bone], raw.vertices[bone] + jaw_open[bone])
    turned = float(np.arctan2(rigid.rotation[2, 1], rigid.rotation[1, 1]))
    if turned > SMALLEST_TURN:
        hinge, angle = _centre(rigid.rotation, raw.vertices[bone], jaw_open[bone]), turned
    turn = matrix_from_rotvec(np.array([angle, 0, 0]))
    offset = raw.vertices - hinge
    motion = offset @ turn.T - offset
    share = (jaw_open * motion).sum(1) / np.maximum((motion * motion).sum(1), 1e-8)
    share[length < 1e-5] = 0
    if raw.lower_teeth is not None:
        share[raw.lower_teeth] = 1
    return JawMotion(hinge, angle, np.clip(share, 0, 1))


def _centre(rotation: np.ndarray, points: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The point [3] on x = 0 that stays where it is when `points` move by `shift`."""
    middle, moved = points.mean(0), (points + shift).mean(0)
    plane = np.eye(2) - rotation[1:, 1:]
    fixed = np.linalg.solve(plane, (moved - rotation @ middle)[1:])
    return np.array([0.0, fixed[0], fixed[1]])
