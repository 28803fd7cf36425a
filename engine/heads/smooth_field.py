"""The smoothest field over a surface that meets given displacements at some of its places."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags, eye
from scipy.sparse.linalg import splu

# Places are followed against smoothness (bi-Laplacian) and against zero.
SMOOTH, FADE = 0.3, 1e-4


def edges_of(faces: np.ndarray) -> np.ndarray:
    """Undirected edges [n, 2] of triangles [F, 3]."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def graph_laplacian(vertices: np.ndarray, edges: np.ndarray) -> csr_matrix:
    """Normalised Laplacian [V, V] with inverse edge lengths: nearly zero on linear fields."""
    count = len(vertices)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=-1)
    i, j = np.concatenate([edges, edges[:, ::-1]]).T
    weight = np.tile(1 / np.maximum(length, 1e-5), 2)
    adjacency = coo_matrix((weight, (i, j)), shape=(count, count)).tocsr()
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1e-12)
    return eye(count).tocsr() - diags(1 / degree) @ adjacency


def smooth_fields(
    vertices: np.ndarray,
    faces: np.ndarray,
    corners: np.ndarray,
    barycentrics: np.ndarray,
    values: np.ndarray,
) -> np.ndarray:
    """Fields [K, V, C] that meet `values` [K, M, C] at M places: corners [M, 3], barycentrics."""
    count, places = len(vertices), len(corners)
    embed = csr_matrix(
        (
            barycentrics.astype(np.float64).ravel(),
            (np.repeat(np.arange(places), 3), corners.ravel()),
        ),
        shape=(places, count),
    )
    laplacian = graph_laplacian(vertices.astype(np.float64), edges_of(faces))
    system = embed.T @ embed + SMOOTH * laplacian.T @ laplacian + FADE * eye(count)
    columns = np.moveaxis(values, 0, 1).reshape(places, -1)
    solved = splu(system.tocsc()).solve(embed.T @ columns)
    return np.moveaxis(solved.reshape(count, len(values), -1), 1, 0)
