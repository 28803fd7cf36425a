"""Glasses of wire that sit on the nose and reach to the ears."""

from __future__ import annotations

import numpy as np

from ..api.head import HeadModel
from .noise import linear
from .strands import Strands, joined, polylines
from .traits import Traits

LENS = {"round": (22.0, 20.0, 2.0), "square": (25.0, 17.0, 5.0), "wide": (27.0, 21.0, 3.0),
        "dark": (28.0, 22.0, 3.0)}  # fmt: skip
"""Half width, half height (mm) and squareness (the superellipse's exponent)."""
NOSE_BRIDGE = 168  # MediaPipe landmark, the vertex of the same number


def spectacles(traits: Traits, head: HeadModel) -> Strands | None:
    """Glasses that sit on the nose and reach to the ears, or None."""
    if traits.glasses == "none":
        return None
    rng = np.random.default_rng([traits.seed, 12])
    width, height, square = LENS[traits.glasses]
    eyes = head.joint_positions[3:5] * 1000
    bridge = head.vertices[NOSE_BRIDGE] * 1000
    plane = max(bridge[2] + 3, eyes[0, 2] + 21)
    frame = linear(np.array([0.06, 0.05, 0.05]) if rng.uniform() < 0.5 else traits.trim * 0.6)
    thick = rng.choice([0.55, 0.9, 1.5])
    angle = np.linspace(0, 2 * np.pi, 41)
    ears = _half_width(head)
    parts = []
    for eye in eyes:
        rim = _rim(angle, width, height, square)
        centre = np.array([eye[0] * 1.03, eye[1] - 2.5, plane])
        wrap = -0.0035 * (np.abs(rim[:, :1] + centre[0])) ** 2
        ring = centre + np.concatenate([rim, wrap], 1)
        parts.append(_wire(ring[None], thick, frame))
        outer = ring[np.argmax(np.abs(ring[:, 0]))]
        ear = np.array([np.sign(eye[0]) * ears * 0.9, eye[1] - 6, -28.0])
        share = np.linspace(0, 1, 13)[:, None]
        temple = outer + (ear - outer) * share + (0, 7, 0) * (1 - share) ** 2 * (share > 0)
        parts.append(_wire(temple[None], thick, frame))
        if traits.glasses == "dark":
            parts.append(_dark_lens(centre, width, height))
    span = np.linspace(-1, 1, 7)
    gap = np.abs(eyes[0, 0]) * 1.03 - width
    nose = np.stack([span * gap, eyes[0, 1] + 2 - 3 * span**2, plane + 0 * span], 1)
    return joined([*parts, _wire(nose[None], thick, frame)])


def _half_width(head: HeadModel) -> float:
    """How far out the ears are, mm."""
    faces = head.faces[head.face_regions == head.region_names.index("ears")]
    return float(np.abs(head.vertices[faces, 0]).max() * 1000)


def _rim(angle: np.ndarray, width: float, height: float, square: float) -> np.ndarray:
    """A superellipse [k, 2]."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([width * np.sign(cos) * np.abs(cos) ** (2 / square),
                     height * np.sign(sin) * np.abs(sin) ** (2 / square)], 1)  # fmt: skip


def _dark_lens(centre: np.ndarray, width: float, height: float) -> Strands:
    """A lens that one can hardly look through, filled line by line."""
    rows = np.linspace(-0.92, 0.92, 20)[:, None]
    across = np.linspace(-1, 1, 14)[None] * width * np.sqrt(1 - rows**2)
    lens = np.stack([across, np.broadcast_to(rows * height, across.shape), 0 * across], -1)
    return _wire(centre + lens, 1.3, np.full(3, 0.012), 0.8)


def _wire(paths: np.ndarray, width: float, colour: np.ndarray, opacity: float = 0.95) -> Strands:
    """Wires [S, K + 1, 3] mm of one thickness in mm."""
    return polylines(paths / 1000, width / 1000, colour, (0, 0.35, 0.94), 0.5, opacity)
