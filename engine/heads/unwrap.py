"""Unwraps a surface with one outer edge into a square: springs, injective by Tutte's theorem.

Springs are re-tuned until each edge is about as long as its length in space times the density that
its place deserves; strengths stay positive, which is all that the theorem asks.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu

from .boundaries import open_loops
from .smooth_field import edges_of

ROUNDS = 60
STRONGEST = 1e5


def unwrap(
    vertices: np.ndarray, faces: np.ndarray, density: np.ndarray, outer: np.ndarray
) -> np.ndarray:
    """UVs [V, 2] in 0..1 of the vertices of one connected piece; the others stay at 0.

    `outer` [n] is the open edge that becomes the square's rim; other holes are held open by a hub.
    `density` [V]: how much longer than elsewhere an edge should be in the atlas.
    """
    points, edges, weight = vertices, edges_of(faces), density
    for loop in open_loops(faces):
        if set(loop.tolist()) == set(outer.tolist()):
            continue
        hub = len(points)
        points = np.concatenate([points, points[loop].mean(0, keepdims=True)])
        weight = np.append(weight, 0.3)
        edges = np.concatenate([edges, np.column_stack([loop, np.full(len(loop), hub)])])
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    wanted = np.maximum(length, 0.0005) * np.sqrt(weight[edges].prod(1))
    used = np.unique(edges)
    free = np.setdiff1d(used, outer)
    uvs = np.zeros((len(points), 2))
    uvs[outer] = rounded_square(vertices[outer])
    strength = np.ones(len(edges))
    for _ in range(ROUNDS):
        uvs[free] = _rest(edges, strength, free, outer, uvs)
        ratio = np.linalg.norm(uvs[edges[:, 0]] - uvs[edges[:, 1]], axis=1) / wanted
        strength *= np.clip(ratio / np.median(ratio), 0.4, 2.5) ** 0.7
        strength = np.clip(strength, 1 / STRONGEST, STRONGEST)
    uvs[free] = _rest(edges, strength, free, outer, uvs)
    return (uvs[: len(vertices)] + 1) / 2


def _rest(
    edges: np.ndarray, strength: np.ndarray, free: np.ndarray, rim: np.ndarray, uvs: np.ndarray
) -> np.ndarray:
    """Places [n, 2] where the springs hold the free points in balance."""
    count = len(uvs)
    i, j = np.concatenate([edges, edges[:, ::-1]]).T
    pull = coo_matrix((np.tile(strength, 2), (i, j)), shape=(count, count)).tocsr()
    laplacian = (diags(np.asarray(pull.sum(1)).ravel()) - pull).tocsr()
    inner = laplacian[free]
    return splu(inner[:, free].tocsc()).solve(-(inner[:, rim] @ uvs[rim]))


def rounded_square(loop: np.ndarray) -> np.ndarray:
    """Places [n, 2] in -1..1 of a loop's points [n, 3] by their share of its length."""
    step = np.linalg.norm(np.diff(loop, axis=0, append=loop[:1]), axis=1)
    share = np.concatenate([[0], np.cumsum(step[:-1])]) / step.sum()
    direction = np.stack([np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)], -1)
    # Exponent 8: nearly square, still strictly convex.
    return direction / (np.abs(direction) ** 8).sum(-1, keepdims=True) ** (1 / 8)
