"""Clothes: cloth on the neck and shoulders, collars and hoods of thread, and glasses."""

from __future__ import annotations

import numpy as np

from ..api.head import HeadModel
from .noise import linear, mixed, octaves, smoothstep, waves
from .strands import Strands, joined, polylines
from .template import Template
from .traits import Traits

NECK_AXIS_Z = -33.0
NECKLINE = {"crew": -137.0, "v": -140.0, "shirt": -128.0, "turtleneck": -98.0, "hood": -134.0,
            "wide": -165.0}  # fmt: skip
"""Height in mm where the cloth begins, on the sides."""
THICKNESS = {"turtleneck": 3.5, "hood": 9.0}
RING = 72  # points of a collar's ring
LENS = {"round": (22.0, 20.0, 2.0), "square": (25.0, 17.0, 5.0), "wide": (27.0, 21.0, 3.0),
        "dark": (28.0, 22.0, 3.0)}  # fmt: skip
"""Half width, half height (mm) and squareness (the superellipse's exponent)."""


def clothed(traits: Traits, canvas: Template, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Albedo [N, 3] with clothes over the skin, and how far they lift the Gaussians [N], metres."""
    rng = np.random.default_rng([traits.seed, 10])
    points = canvas.points
    body = canvas.of("neck", "shoulders")
    front = smoothstep(points[:, 2], -60, 10)
    edge = NECKLINE[traits.neckline] + rng.uniform(-6, 6) - 12 * front
    if traits.neckline in ("v", "shirt"):
        opening = rng.uniform(45, 80) if traits.neckline == "v" else rng.uniform(10, 45)
        edge = edge - front * np.clip(opening - 1.3 * np.abs(points[:, 0]), 0, None)
    share = smoothstep(edge - points[:, 1], -1.5, 1.5) * body
    hem = np.exp(-(((edge - points[:, 1] - 4) / 4) ** 2)) * (traits.neckline != "shirt")
    folds = octaves(rng, points * (1, 0.5, 1), 90, 40)
    cloth = _pattern(traits, rng, points) * (1 + 0.09 * folds + 0.1 * hem)[:, None]
    lift = share * (THICKNESS.get(traits.neckline, 4.0) + 1.2 * hem + 1.5 * folds) / 1000
    return mixed(albedo, np.clip(cloth, 0.005, 0.9), share), np.maximum(lift, 0)


def _pattern(traits: Traits, rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Linear colour [N, 3] of the cloth: plain, striped, checked, two-coloured or printed."""
    first, second = linear(traits.cloth), linear(traits.trim)
    kind = rng.choice(
        ["plain", "stripes", "checks", "open", "print"], p=[0.6, 0.12, 0.08, 0.12, 0.08]
    )
    base = np.tile(first, (len(points), 1))
    pitch = rng.uniform(8, 22)
    rows = smoothstep(np.sin(2 * np.pi * points[:, 1] / pitch), -0.3, 0.3)
    columns = smoothstep(np.sin(2 * np.pi * points[:, 0] / pitch), -0.3, 0.3)
    share = {
        "plain": np.zeros(len(points)),
        "stripes": rows,
        "checks": 0.35 * (rows + columns),
        "open": smoothstep(rng.uniform(35, 60) - np.abs(points[:, 0]), -3, 3)
        * (points[:, 2] > -30),
        "print": smoothstep(waves(rng, points, 22), 0.2, 0.6),
    }[kind]
    return mixed(base, second, share)


def collar(traits: Traits, head: HeadModel) -> Strands | None:
    """The collar or hood that stands off the neck, or None."""
    if traits.neckline not in ("shirt", "hood"):
        return None
    rng = np.random.default_rng([traits.seed, 11])
    angle = np.linspace(-np.pi, np.pi, RING + 1)
    if traits.neckline == "shirt":
        angle = np.linspace(np.radians(14), np.radians(346), RING + 1)
    neck = head.vertices[head.faces[head.face_regions == head.region_names.index("neck")]] * 1000
    low = neck[neck[..., 1] < -105]
    radius = np.array([np.abs(low[:, 0]).max() * 0.98, (low[:, 2].max() - low[:, 2].min()) / 2])
    middle = (low[:, 2].max() + low[:, 2].min()) / 2
    rows = 9 if traits.neckline == "shirt" else 12
    rings = []
    for row in np.linspace(0, 1, rows):
        if traits.neckline == "shirt":
            out, height = 4 + 15 * row**2, -108 + 10 * np.sin(2.2 * row) - 26 * row**1.5
        else:
            out, height = 14 + 18 * np.sin(np.pi * row), -150 + 34 * row
        droop = np.cos(angle) * (-13 if traits.neckline == "shirt" else -9)
        ring = np.stack([np.sin(angle) * (radius[0] + out), height + droop - 6 * (row > 0.9),
                         middle + np.cos(angle) * (radius[1] + out)], 1)  # fmt: skip
        rings.append(ring)
    paths = np.stack(rings) + rng.normal(0, 0.3, (rows, RING + 1, 3))
    outward = np.stack([np.sin(angle[:-1]), 0.35 + 0 * angle[:-1], np.cos(angle[:-1])], -1)
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    shade = np.linspace(0.75, 1.05, rows)[:, None, None]
    return polylines(paths / 1000, 0.0026, linear(traits.cloth) * shade, outward, 0.0, 0.97)


def spectacles(traits: Traits, head: HeadModel) -> Strands | None:
    """Glasses that sit on the nose and reach to the ears, or None."""
    if traits.glasses == "none":
        return None
    rng = np.random.default_rng([traits.seed, 12])
    width, height, square = LENS[traits.glasses]
    eyes = head.joint_positions[3:5] * 1000
    bridge = head.vertices[168] * 1000
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
            rows = np.linspace(-0.92, 0.92, 20)[:, None]
            half = width * np.sqrt(1 - rows**2)
            across = np.linspace(-1, 1, 14)[None] * half
            lens = np.stack([across, np.broadcast_to(rows * height, across.shape), 0 * across], -1)
            parts.append(_wire(centre + lens, 1.3, np.full(3, 0.012), 0.8))
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


def _wire(paths: np.ndarray, width: float, colour: np.ndarray, opacity: float = 0.95) -> Strands:
    """Wires [S, K + 1, 3] mm of one thickness in mm."""
    return polylines(paths / 1000, width / 1000, colour, (0, 0.35, 0.94), 0.5, opacity)
