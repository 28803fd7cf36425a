"""Closest points on a triangle surface. Knows nothing of heads; units are the caller's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

# Triangles looked at for each point: those with the nearest middles.
CANDIDATES = 24
CHUNK = 4096


class SurfacePoints(NamedTuple):
    """N points on a triangle surface."""

    face: np.ndarray  # [N] index into the faces that were given
    barycentric: np.ndarray  # [N, 3]
    place: np.ndarray  # [N, 3]
    distance: np.ndarray  # [N]


def closest_points(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> SurfacePoints:
    """Points [N, 3] carried to the nearest place of a surface: vertices [V, 3], faces [F, 3].

    Only the CANDIDATES triangles with the nearest middles are tried: exact where triangles are
    about equally large near a point, which holds for head models.
    """
    corners = vertices[faces].astype(np.float64)
    tree = cKDTree(corners.mean(1))
    parts = [
        _closest_of(points[start : start + CHUNK], corners, tree)
        for start in range(0, len(points), CHUNK)
    ]
    face = np.concatenate([part[0] for part in parts])
    barycentric = np.concatenate([part[1] for part in parts])
    place = np.einsum("nk,nkc->nc", barycentric, corners[face])
    return SurfacePoints(face, barycentric, place, np.linalg.norm(place - points, axis=1))


def _closest_of(
    points: np.ndarray, corners: np.ndarray, tree: cKDTree
) -> tuple[np.ndarray, np.ndarray]:
    """Faces [n] and barycentrics [n, 3] of the nearest places."""
    tried = tree.query(points, k=min(CANDIDATES, len(corners)))[1].reshape(len(points), -1)
    weights = closest_barycentrics(points[:, None], corners[tried])
    places = np.einsum("nck,nckx->ncx", weights, corners[tried])
    best = np.linalg.norm(places - points[:, None], axis=-1).argmin(1)
    rows = np.arange(len(points))
    return tried[rows, best], weights[rows, best]


def closest_barycentrics(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentrics [..., 3] of the places of triangles [..., 3, 3] nearest to points [..., 3].

    Either the foot of the perpendicular, when it lies inside, or the nearest place of the edges.
    """
    inside = _foot(points, corners)
    best = np.full(inside.shape[:-1], np.inf)
    result = np.zeros_like(inside)
    for k in range(3):
        a, b = corners[..., k, :], corners[..., (k + 1) % 3, :]
        edge = b - a
        along = ((points - a) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-30)
        t = np.clip(along, 0, 1)
        gap = np.linalg.norm(a + t[..., None] * edge - points, axis=-1)
        nearer = gap < best
        best = np.where(nearer, gap, best)
        weights = np.zeros_like(inside)
        weights[..., k], weights[..., (k + 1) % 3] = 1 - t, t
        result = np.where(nearer[..., None], weights, result)
    return np.where((inside >= 0).all(-1, keepdims=True), inside, result)


def _foot(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentrics [..., 3] of the foot in the triangle's plane; -1 if it is flat."""
    u, v = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    w = points - corners[..., 0, :]
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    wu, wv = (w * u).sum(-1), (w * v).sum(-1)
    det = uu * vv - uv * uv
    flat = det <= 1e-12 * np.maximum(uu * vv, 1e-300)
    det = np.where(flat, 1, det)
    second, third = (vv * wu - uv * wv) / det, (uu * wv - uv * wu) / det
    weights = np.stack([1 - second - third, second, third], -1)
    return np.where(flat[..., None], -1.0, weights)
