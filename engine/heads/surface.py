"""Grows a triangle surface from named parts: points, then triangles with their UVs and region.

Knows nothing of heads. Units are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Rectangle = tuple[float, float, float, float]  # u0, v0, u1, v1


class Surface:
    """Points and triangles so far. Parts are runs of points with a name."""

    def __init__(self) -> None:
        self.points: list[np.ndarray] = []
        self.parts: dict[str, np.ndarray] = {}
        self.faces: list[np.ndarray] = []
        self.uvs: list[np.ndarray] = []
        self.regions: list[str] = []
        self.count = 0

    def add_points(self, part: str, points: np.ndarray) -> np.ndarray:
        """Indices [...] of new points [..., 3] under the name `part`."""
        flat = np.reshape(points, (-1, 3))
        index = np.arange(self.count, self.count + len(flat))
        self.points.append(flat)
        self.parts[part] = index
        self.count += len(flat)
        return index.reshape(np.shape(points)[:-1])

    def add_triangles(self, faces: np.ndarray, uvs: np.ndarray, region: str) -> None:
        """Triangles [n, 3] with UVs [n, 3, 2]; those with a repeated corner are left out."""
        a, b, c = faces.T
        whole = (a != b) & (b != c) & (c != a)
        self.faces.append(faces[whole])
        self.uvs.append(uvs[whole])
        self.regions += [region] * int(whole.sum())

    def add_grid(
        self, grid: np.ndarray, uvs: np.ndarray, region: str, *, flip: bool = False
    ) -> None:
        """Two triangles per cell of a grid of indices [R, C] with UVs [R, C, 2].

        Rows going down and columns going right, seen from outside, is counter-clockwise; `flip`
        turns it. Cells left of the middle are cut the other way, so a symmetric grid stays so.
        """
        cut = np.arange(grid.shape[1] - 1) < (grid.shape[1] - 1) / 2
        cut = np.broadcast_to(cut, (grid.shape[0] - 1, grid.shape[1] - 1)).reshape(-1)
        first = np.where(cut[:, None], [0, 1, 2], [0, 1, 3])
        second = np.where(cut[:, None], [0, 2, 3], [1, 2, 3])
        order = np.concatenate([first, second])
        if flip:
            order = order[:, ::-1]
        cells = np.concatenate([_cells(grid)] * 2)
        cell_uvs = np.concatenate([_cells(uvs)] * 2)
        rows = np.arange(len(order))[:, None]
        self.add_triangles(cells[rows, order], cell_uvs[rows, order], region)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """points [V, 3], faces [F, 3], face UVs [F, 3, 2]."""
        return np.concatenate(self.points), np.concatenate(self.faces), np.concatenate(self.uvs)


def _cells(grid: np.ndarray) -> np.ndarray:
    """Corners [n, 4, ...] of the cells: top left, bottom left, bottom right, top right."""
    corners = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], 2)
    return corners.reshape(-1, 4, *grid.shape[2:])


def grid_uvs(rows: Sequence[float] | np.ndarray, columns: int, box: Rectangle) -> np.ndarray:
    """UVs [R, C, 2] filling a box: `rows` are fractions from its top, columns are even."""
    u0, v0, u1, v1 = box
    u = np.linspace(u0, u1, columns)
    v = v1 + (v0 - v1) * np.asarray(rows, float)
    return np.stack(np.broadcast_arrays(u[None], v[:, None]), -1)


def square_uvs(radii: Sequence[float] | np.ndarray, columns: int, box: Rectangle) -> np.ndarray:
    """UVs [R, C + 1, 2] of a polar grid in a box: nested squares, the first column twice.

    Column 0 points right and columns run counter-clockwise; `radii` are fractions 0..1.
    """
    u0, v0, u1, v1 = box
    angle = 2 * np.pi * np.arange(columns + 1) / columns
    direction = np.stack([np.cos(angle), np.sin(angle)], -1)
    direction /= np.abs(direction).max(-1, keepdims=True)
    centre, half = np.array([u0 + u1, v0 + v1]) / 2, np.array([u1 - u0, v1 - v0]) / 2
    return centre + np.asarray(radii, float)[:, None, None] * direction * half


def mirrored(box: Rectangle) -> Rectangle:
    """The same box filled from right to left, for a part that is another one's mirror image."""
    u0, v0, u1, v1 = box
    return u1, v0, u0, v1
