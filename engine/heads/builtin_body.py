"""Cranium, neck, shoulders and ears of the built-in head. Millimetres."""

from __future__ import annotations

import numpy as np

from . import landmarks as lm
from .builtin_atlas import EAR_BOXES, NECK_BOX, SHOULDER_BOX, SKULL_BOX
from .builtin_proportions import (
    NAPE_ANGLE,
    NECK_AXIS_Z,
    NECK_RINGS,
    SKULL_CENTRE,
    SKULL_RADII,
    SWEEP_RINGS,
)
from .surface import Surface, grid_uvs, mirrored, square_uvs


def add_cranium(surface: Surface, points: np.ndarray) -> np.ndarray:
    """A visor sweep of the forehead's arc over the crown to the nape. Returns the nape row [17]."""
    oval = lm.FACE_OVAL
    arc = np.array(oval[28:] + oval[:9])  # right ear, forehead, left ear
    rim = points[arc]
    radius = np.linalg.norm(rim, axis=1)
    start = np.arctan2(rim[:, 1], rim[:, 2])
    across = rim[:, 0] / radius
    rows = [arc]
    for ring in range(1, SWEEP_RINGS + 1):
        share = ring / SWEEP_RINGS
        angle = start + (NAPE_ANGLE - start) * share
        along = np.sqrt(1 - across**2)
        direction = np.stack([across, along * np.sin(angle), along * np.cos(angle)], 1)
        blend = np.clip(share / 0.16, 0, 1)
        blend = blend * blend * (3 - 2 * blend)
        length = radius + (_skull_distance(direction) - radius) * blend
        new = surface.add_points(f"cranium_{ring}", (direction * length[:, None])[1:-1])
        rows.append(np.concatenate([arc[:1], new, arc[-1:]]))
    grid = np.stack(rows)
    surface.add_grid(
        grid, grid_uvs(np.linspace(1, 0, len(rows)), 17, SKULL_BOX), "scalp", flip=True
    )
    return grid[-1]


def _skull_distance(direction: np.ndarray) -> np.ndarray:
    """Distance [n] from the origin to the skull's ellipsoid along unit directions [n, 3]."""
    d, c = direction / SKULL_RADII, SKULL_CENTRE / SKULL_RADII
    a, b, rest = (d * d).sum(-1), d @ c, c @ c - 1
    return (b + np.sqrt(b * b - a * rest)) / a


# Rings below the throat: half width, front and back depth, then height in front, beside, behind.
SHOULDER_RINGS = (
    (57, 49, 53, -118, -114, -108),
    (64, 50, 63, -138, -129, -124),
    (92, 56, 76, -158, -143, -142),
    (138, 70, 86, -182, -158, -168),
    (184, 88, 94, -214, -177, -202),
    (214, 102, 98, -250, -208, -242),
    (227, 112, 98, -290, -256, -286),
    (230, 118, 97, -325, -315, -322),
)


def add_neck(surface: Surface, nape: np.ndarray) -> None:
    """Neck from the jaw's edge and the nape down to the throat, then shoulders and chest."""
    everything = np.concatenate(surface.points)
    oval = lm.FACE_OVAL
    jaw = np.array(oval[28:7:-1])  # right ear, chin, left ear
    loop = np.concatenate([nape[8:0:-1], jaw, nape[15:8:-1]])
    start = everything[loop]
    angle = np.arctan2(start[:, 0], start[:, 2] - NECK_AXIS_Z)
    even = np.arange(36) * 2 * np.pi / 36 - np.pi
    angle = even + 0.5 * ((angle - even + np.pi) % (2 * np.pi) - np.pi)
    angle = (angle - angle[(36 - np.arange(36)) % 36] * 1.0) / 2  # mirror-symmetric
    angle[0] = -np.pi
    throat = shoulder_ring(angle, SHOULDER_RINGS[0])
    # Under the chin the skin first runs back, beside and behind the head it runs down.
    front = np.clip(np.cos(angle), 0, 1)[:, None] ** 0.7
    leave = front * (0, -0.35, -1.0) + (1 - front) * np.array([0, -1.0, 0])
    leave[:, 0] -= 0.25 * np.sin(angle) * (1 - front[:, 0])
    span = np.linalg.norm(throat - start, axis=1, keepdims=True)
    rows = [loop]
    for ring in range(1, NECK_RINGS):
        t = ring / NECK_RINGS
        place = _hermite(t, start, throat, leave * span * 1.2, np.array([0, -1.0, 0]) * span * 1.2)
        rows.append(surface.add_points(f"neck_{ring}", place))
    for ring, shape in enumerate(SHOULDER_RINGS):
        rows.append(surface.add_points(f"shoulders_{ring}", shoulder_ring(angle, shape)))
    grid = np.stack([np.append(row, row[0]) for row in rows])
    cut = NECK_RINGS + 1
    surface.add_grid(grid[: cut + 1], grid_uvs(np.linspace(0, 1, cut + 1), 37, NECK_BOX), "neck")
    below = len(grid) - cut
    surface.add_grid(grid[cut:], grid_uvs(np.linspace(0, 1, below), 37, SHOULDER_BOX), "shoulders")


def _hermite(
    t: float, start: np.ndarray, end: np.ndarray, leave: np.ndarray, arrive: np.ndarray
) -> np.ndarray:
    a, b = t * t * (3 - 2 * t), t * (1 - t) ** 2
    return start * (1 - a) + end * a + leave * b - arrive * (t * t * (1 - t))


def shoulder_ring(angle: np.ndarray, shape: tuple[float, ...]) -> np.ndarray:
    width, front, back, y_front, y_side, y_back = shape
    sine, cosine = np.sin(angle), np.cos(angle)
    depth = np.where(cosine > 0, front, back)
    ends = np.where(cosine > 0, y_front, y_back)
    height = y_side + (ends - y_side) * cosine**2
    return np.stack([width * sine, height, NECK_AXIS_Z + depth * cosine], 1)


# The ear from the inside of its bowl outwards, then round its rim and down its back:
# share of the outline, height above the ear's plane, share of the atlas box.
EAR_RINGS = (
    (0.0, -2.2, 0.0), (0.28, -2.6, 0.2), (0.44, -1.2, 0.34), (0.56, 2.0, 0.45), (0.7, 0.8, 0.55),
    (0.84, 0.2, 0.66), (0.93, 2.4, 0.74), (1.0, 1.2, 0.82), (0.95, -2.0, 0.88), (0.75, -8.0, 0.94),
    (0.6, -16.0, 1.0),
)  # fmt: skip
EAR_CENTRE = np.array([79.5, -4.0, -29.5])


def add_ears(surface: Surface) -> None:
    columns = 20
    angle = 2 * np.pi * np.arange(columns) / columns
    back, up = np.cos(angle), np.sin(angle)
    # Narrow lobe, wide top, straight front edge.
    outline = np.stack([(16.5 + 4.0 * up) * back + 2.0 * up, 32.0 * up], -1)
    outline[:, 0] = np.maximum(outline[:, 0], -13.5)
    tilt, flare = np.deg2rad(12), np.deg2rad(26)
    backwards = np.array([np.sin(flare), 0, -np.cos(flare)])
    outwards = np.array([np.cos(flare), 0, np.sin(flare)])
    upwards = np.array([0.0, 1.0, 0.0])
    backwards, upwards = (
        np.cos(tilt) * backwards - np.sin(tilt) * upwards,
        np.sin(tilt) * backwards + np.cos(tilt) * upwards,
    )
    for side, sign, box in (("left", 1.0, EAR_BOXES[1]), ("right", -1.0, mirrored(EAR_BOXES[0]))):
        rows = []
        for ring, (share, height, _) in enumerate(EAR_RINGS):
            flat = outline[: 1 if ring == 0 else columns] * share
            place = EAR_CENTRE + flat[:, :1] * backwards + flat[:, 1:] * upwards + height * outwards
            row = surface.add_points(f"ear_{side}_{ring}", place * (sign, 1, 1))
            rows.append(np.resize(row, columns + 1) if ring else np.repeat(row, columns + 1))
        uvs = square_uvs([ring[2] for ring in EAR_RINGS], columns, box)
        surface.add_grid(np.stack(rows), uvs, "ears", flip=sign < 0)
