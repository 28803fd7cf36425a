"""Triangle meshes as NumPy arrays: normals, the UV atlas as texels, and a z-buffer rasteriser.

It draws masks, depth and check pictures; it knows nothing of Gaussians. Pixel centres are at half
integers. A triangle is found for a texel or pixel whose centre it covers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Candidate (triangle, pixel) pairs tested at once: bounds memory to a few tens of megabytes.
CHUNK = 1 << 20


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals [..., V, 3] of vertices [..., V, 3] and faces [F, 3]."""
    corners = vertices[..., faces, :]
    normals = np.cross(
        corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    )
    normals = np.moveaxis(normals, -2, 0)
    total = np.zeros((vertices.shape[-2], *normals.shape[1:]), np.float64)
    for corner in range(3):
        np.add.at(total, faces[:, corner], normals)
    total = np.moveaxis(total, 0, -2)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    return (total / np.maximum(length, 1e-20)).astype(vertices.dtype)


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Areas [F] of triangles."""
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return 0.5 * np.linalg.norm(cross, axis=-1)


def uv_raster(face_uvs: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The triangle under each texel of a size x size atlas.

    face_uvs [F, 3, 2] in 0..1 with v up; row 0 of the result is the top of the atlas (v near 1).
    Returns the face [size, size] int32, -1 where there is none, and barycentrics [size, size, 3].
    Where triangles overlap (they should not), the last one wins.
    """
    corners = np.stack([face_uvs[..., 0], 1 - face_uvs[..., 1]], -1) * size
    face = np.full(size * size, -1, np.int32)
    barycentrics = np.zeros((size * size, 3), np.float32)
    for triangle, pixel, weights in _covered(corners.astype(np.float64), size, size):
        face[pixel] = triangle
        barycentrics[pixel] = weights
    return face.reshape(size, size), barycentrics.reshape(size, size, 3)


def raster_mesh(
    projected: np.ndarray, faces: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Z-buffer of a mesh: depth [H, W] or inf, face [H, W] int32 or -1, barycentrics [H, W, 3].

    projected [V, 3]: x and y in pixels, z the depth along the view axis. Triangles with a corner at
    z <= 0 are left out. Barycentrics are of the picture plane; depth is perspective-correct (1/z is
    linear in the picture).
    """
    corners = projected[faces].astype(np.float64)
    kept = np.flatnonzero((corners[..., 2] > 0).all(1))
    inverse_depth = 1 / corners[kept][..., 2]
    nearest = np.zeros(height * width)
    face = np.full(height * width, -1, np.int32)
    barycentrics = np.zeros((height * width, 3), np.float32)
    for triangle, pixel, weights in _covered(corners[kept][..., :2], width, height):
        closeness = np.einsum("nk,nk->n", weights, inverse_depth[triangle])
        np.maximum.at(nearest, pixel, closeness)
        seen = closeness == nearest[pixel]
        face[pixel[seen]] = kept[triangle[seen]]
        barycentrics[pixel[seen]] = weights[seen]
    with np.errstate(divide="ignore"):
        depth = np.where(nearest > 0, 1 / nearest, np.inf)
    shape = (height, width)
    return depth.reshape(shape), face.reshape(shape), barycentrics.reshape(*shape, 3)


def _covered(
    corners: np.ndarray, width: int, height: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Chunks of triangle [n], flat pixel [n], barycentrics [n, 3]; corners [F, 3, 2] in pixels."""
    low = np.clip(np.floor(corners.min(1) - 0.5), 0, (width, height)).astype(np.int64)
    high = np.clip(np.ceil(corners.max(1) + 0.5), 0, (width, height)).astype(np.int64)
    extent = np.maximum(high - low, 0)
    counts = extent.prod(-1)
    planes = _barycentric_planes(corners)
    counts[~np.isfinite(planes).all((1, 2))] = 0  # triangles without area
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        base = ends[start] - counts[start]
        stop = max(int(np.searchsorted(ends, base + CHUNK, side="right")), start + 1)
        triangle = np.repeat(np.arange(start, stop), counts[start:stop])
        first = ends[start:stop] - counts[start:stop]
        within = np.arange(len(triangle)) + base - first[triangle - start]
        rows, columns = np.divmod(within, np.maximum(extent[triangle, 0], 1))
        x, y = columns + low[triangle, 0], rows + low[triangle, 1]
        of = planes[triangle]
        weights = of[..., 0] * (x + 0.5)[:, None] + of[..., 1] * (y + 0.5)[:, None] + of[..., 2]
        inside = (weights >= -1e-9).all(-1)
        yield triangle[inside], (y * width + x)[inside], weights[inside]
        start = stop


def _barycentric_planes(corners: np.ndarray) -> np.ndarray:
    """[F, 3, 3]: barycentric k at (x, y) is p[k, 0] x + p[k, 1] y + p[k, 2]; not finite if flat."""
    ahead, behind = np.roll(corners, -1, 1), np.roll(corners, -2, 1)
    slope = np.stack([ahead[..., 1] - behind[..., 1], behind[..., 0] - ahead[..., 0]], -1)
    offset = ahead[..., 0] * behind[..., 1] - ahead[..., 1] * behind[..., 0]
    area = (slope[:, 0] * (corners[:, 0] - corners[:, 2])).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(np.abs(area) > 1e-12, 1 / area, np.nan)
    return np.concatenate([slope, offset[..., None]], -1) * inverse[:, None, None]
