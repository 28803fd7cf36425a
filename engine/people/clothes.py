"""Clothes: cloth on the neck and shoulders, collars and hoods of thread."""

from __future__ import annotations

import numpy as np

from ..api.head import HeadModel
from .noise import linear, mixed, octaves, smoothstep, waves
from .strands import Strands, polylines
from .template import Template
from .traits import Traits

NECK_AXIS_Z = -33.0
NECKLINE = {"crew": -137.0, "v": -140.0, "shirt": -128.0, "turtleneck": -98.0, "hood": -134.0,
            "wide": -165.0}  # fmt: skip
"""Height in mm where the cloth begins, on the sides."""
THICKNESS = {"turtleneck": 3.5, "hood": 9.0}
RING = 72  # points of a collar's ring


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
        out, height, tilt = (_shirt if traits.neckline == "shirt" else _hood)(row)
        rings.append(np.stack([np.sin(angle) * (radius[0] + out), height - tilt * np.cos(angle),
                               middle + np.cos(angle) * (radius[1] + out)], 1))  # fmt: skip
    paths = np.stack(rings) + rng.normal(0, 0.3, (rows, RING + 1, 3))
    outward = np.stack([np.sin(angle[:-1]), 0.35 + 0 * angle[:-1], np.cos(angle[:-1])], -1)
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    shade = np.linspace(0.75, 1.05, rows)[:, None, None]
    return polylines(paths / 1000, 0.0026, linear(traits.cloth) * shade, outward, 0.0, 0.97)


def _shirt(row: float) -> tuple[float, float, float]:
    """A shirt's collar at a share of its width: how far off the neck, how high, tilt (mm)."""
    return 4 + 15 * row**2, -108 + 10 * np.sin(2.2 * row) - 26 * row**1.5 - 6 * (row > 0.9), 13


def _hood(row: float) -> tuple[float, float, float]:
    """A hood lying on the shoulders, likewise."""
    return 14 + 18 * np.sin(np.pi * row), -150 + 34 * row - 6 * (row > 0.9), 9
