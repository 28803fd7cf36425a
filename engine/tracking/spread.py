"""From an offset at the landmarks to an offset of every vertex of the head.

Skin follows smoothly and the offset dies away over the skull and down the neck; what floats inside
(eyeballs, teeth) moves as a whole with the skin around it.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags, eye
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from ..api.head import HeadModel

# The offset is followed at landmarks against smoothness (bi-Laplacian) and against zero.
FOLLOW, SMOOTH, FADE = 1.0, 0.3, 1e-4
# A floating part takes the mean offset of the skin within about this distance.
NEARBY_METRES = 0.02


def spread_offset(head: HeadModel, index: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Vertex offset [V, 3] float32 that gives landmarks `index` [M] about `offset` [M, 3]."""
    edges = _edges(head.faces)
    field = spread_on_skin(head, index, offset[None])[0]
    anchors = head.faces[head.landmark_faces[index], 0]
    return _carry_floating(head, edges, anchors, offset, field).astype(np.float32)


def spread_on_skin(head: HeadModel, index: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Vertex offsets [K, V, 3] float32 of K landmark offsets [K, M, 3]; what floats stays."""
    count = len(head.vertices)
    corners = head.faces[head.landmark_faces[index]]
    embed = csr_matrix(
        (
            head.landmark_barycentrics[index].astype(np.float64).ravel(),
            (np.repeat(np.arange(len(index)), 3), corners.ravel()),
        ),
        shape=(len(index), count),
    )
    edges = _edges(head.faces)
    laplacian = _laplacian(edges, head.vertices.astype(np.float64))
    system = (
        FOLLOW * embed.T @ embed + SMOOTH * laplacian.T @ laplacian + FADE * eye(count)
    ).tocsc()
    columns = np.moveaxis(offsets, 0, 1).reshape(len(index), -1)
    field = splu(system).solve(FOLLOW * (embed.T @ columns))
    return np.moveaxis(field.reshape(count, -1, 3), 1, 0).astype(np.float32)


def _edges(faces: np.ndarray) -> np.ndarray:
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _laplacian(edges: np.ndarray, vertices: np.ndarray) -> csr_matrix:
    """Normalised graph Laplacian with inverse edge lengths: zero on locally linear fields."""
    count = len(vertices)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=-1)
    weight = 1 / np.maximum(length, 1e-5)
    i, j = np.concatenate([edges, edges[:, ::-1]]).T
    adjacency = coo_matrix((np.tile(weight, 2), (i, j)), shape=(count, count)).tocsr()
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1e-12)
    return eye(count).tocsr() - diags(1 / degree) @ adjacency


def _carry_floating(
    head: HeadModel, edges: np.ndarray, anchors: np.ndarray, offset: np.ndarray, field: np.ndarray
) -> np.ndarray:
    """The field with every part that holds no landmark moved by the offset nearby."""
    count = len(head.vertices)
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    parts, label = connected_components(graph, directed=False)
    anchored = set(label[anchors])
    for part in range(parts):
        if part in anchored:
            continue
        inside = label == part
        apart = np.linalg.norm(head.vertices[anchors] - head.vertices[inside].mean(0), axis=-1)
        near = np.exp(-((apart / NEARBY_METRES) ** 2)) + 1e-9
        field[inside] = near @ offset / near.sum()
    return field
