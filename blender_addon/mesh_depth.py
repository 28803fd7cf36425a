"""Depth of triangles in NumPy, for the few meshes whose depth the render does not tell.

Triangles are rasterised in homogeneous coordinates (Olano and Greer, "Triangle Scan Conversion
using 2D Homogeneous Coordinates", 1997), so those that reach behind the camera need no clipping.
It knows Blender's camera conventions but not `bpy`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .cpu_splats import NEAR, View

NOTHING = 1e10  # metres, what Blender's depth passes hold where nothing is
_FRAGMENTS_PER_CHUNK = 1_000_000


def rasterize(triangles: np.ndarray, view: View) -> np.ndarray:
    """Distance [H, W] along the view axis to the nearest of the triangles [T, 3 corners, 3]."""
    corners = np.concatenate([triangles, np.ones((*triangles.shape[:2], 1))], -1)
    clip = corners @ (view.window_matrix @ view.view_matrix).T
    size = np.array([view.width, view.height])
    w = clip[..., 3:]
    screen = np.concatenate([(clip[..., :2] + w) * size / 2, w], -1)  # [T, 3, (x, y, 1) w]
    depths = -(corners @ view.view_matrix[2])  # [T, 3]
    usable = (np.abs(np.linalg.det(screen)) > 1e-12) & (w[..., 0] > 0).any(1)
    screen, depths = screen[usable], depths[usable]
    low, high = _boxes(screen, size)
    edges = np.linalg.inv(screen).transpose(0, 2, 1) if len(screen) else screen
    nearest = np.full(view.height * view.width, NOTHING, np.float32)
    for triangle, row, first, last in _rows(low, high):
        _draw_rows(edges, depths, view.width, nearest, (triangle, row, first, last))
    return nearest.reshape(view.height, view.width)


def _boxes(screen: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last pixel [T, 2] of each triangle; all if it reaches behind."""
    w = screen[..., 2:]
    places = screen[..., :2] / np.where(w > 1e-9, w, 1.0)
    behind = (w <= 1e-9).any(1)
    low = np.where(behind, 0, np.clip(np.floor(places.min(1)), 0, size))
    high = np.where(behind, size, np.clip(np.ceil(places.max(1)), 0, size))
    return low.astype(np.int64), high.astype(np.int64)


def _rows(low: np.ndarray, high: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Rows of pixels of the boxes in portions: triangle, row, first column, one past the last."""
    heights = np.maximum(high - low, 0)[:, 1] * (high > low).all(1)
    triangle = np.repeat(np.arange(len(low)), heights)
    row = np.arange(len(triangle)) - np.repeat(np.cumsum(heights) - heights, heights)
    row += low[triangle, 1]
    first, last = low[triangle, 0], high[triangle, 0]
    ends = np.cumsum(last - first)
    start = 0
    while start < len(triangle):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + _FRAGMENTS_PER_CHUNK)), start + 1)
        yield tuple(part[start:stop] for part in (triangle, row, first, last))
        start = stop


def _draw_rows(
    edges: np.ndarray,  # [T, 3, 3]: corner weights over w are edges @ (x, y, 1)
    depths: np.ndarray,  # [T, 3]
    width: int,
    nearest: np.ndarray,  # [H * W], lowered
    rows: tuple[np.ndarray, ...],
) -> None:
    triangle, row, first, last = rows
    counts = last - first
    of_row = np.repeat(np.arange(len(row)), counts)
    x = np.arange(len(of_row)) - np.repeat(np.cumsum(counts) - counts, counts) + first[of_row]
    weights = [
        edges[triangle, corner, 0][of_row] * (x + 0.5)
        + (edges[triangle, corner, 1] * (row + 0.5) + edges[triangle, corner, 2])[of_row]
        for corner in range(3)
    ]
    inside = np.flatnonzero((weights[0] >= 0) & (weights[1] >= 0) & (weights[2] >= 0))
    parts = np.stack([weight[inside] for weight in weights])  # [3, F]
    depth = (parts * depths[triangle[of_row[inside]]].T).sum(0) / parts.sum(0)
    seen = depth > NEAR
    pixel = row[of_row[inside]] * width + x[inside]
    np.minimum.at(nearest, pixel[seen], depth[seen].astype(np.float32))
