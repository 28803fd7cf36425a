"""Packs UV islands that lie in several tiles, or over one another, into one atlas."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .surface import Rectangle

GAP = 0.003


def pack_islands(
    face_uvs: np.ndarray, islands: np.ndarray, shares: Mapping[str, float]
) -> np.ndarray:
    """UVs [F, 3, 2] in 0..1 with every island in a rectangle of its own.

    `islands` [F] names each face's island; `shares` are the areas that they deserve. An island is
    stretched to fill its rectangle; inside it nothing is changed.
    """
    names = [name for name in shares if (islands == name).any()]
    boxes = split(names, np.array([shares[name] for name in names]), (0.0, 0.0, 1.0, 1.0))
    packed = np.zeros_like(face_uvs, dtype=np.float64)
    for name, (u0, v0, u1, v1) in boxes.items():
        chosen = islands == name
        uvs = face_uvs[chosen].astype(np.float64)
        low, high = uvs.min((0, 1)), uvs.max((0, 1))
        unit = (uvs - low) / np.maximum(high - low, 1e-12)
        inner = np.array([u0 + GAP, v0 + GAP]), np.array([u1 - GAP, v1 - GAP])
        packed[chosen] = inner[0] + unit * (inner[1] - inner[0])
    return packed


def split(names: list[str], shares: np.ndarray, box: Rectangle) -> dict[str, Rectangle]:
    """A rectangle for each name, of areas in proportion: halved by share along the longer side."""
    if len(names) == 1:
        return {names[0]: box}
    running = np.cumsum(shares) / shares.sum()
    cut = int(np.argmin(np.abs(running[:-1] - 0.5))) + 1
    u0, v0, u1, v1 = box
    share = float(running[cut - 1])
    if u1 - u0 >= v1 - v0:
        middle = u0 + share * (u1 - u0)
        first, second = (u0, v0, middle, v1), (middle, v0, u1, v1)
    else:
        middle = v1 - share * (v1 - v0)
        first, second = (u0, middle, u1, v1), (u0, v0, u1, middle)
    return split(names[:cut], shares[:cut], first) | split(names[cut:], shares[cut:], second)


def unfolded(face_uvs: np.ndarray) -> np.ndarray:
    """Faces [F] whose UVs are neither mirrored nor without area, by sign of their UV area."""
    a, b = face_uvs[:, 1] - face_uvs[:, 0], face_uvs[:, 2] - face_uvs[:, 0]
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0
