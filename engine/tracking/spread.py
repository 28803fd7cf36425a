"""From an offset at the landmarks to an offset of every vertex of the head.

Skin follows smoothly and the offset dies away over the skull and down the neck; what floats inside
(eyeballs, teeth) moves as a whole with the skin around it.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..api.head import HeadModel
from ..heads.smooth_field import edges_of, smooth_fields

# A floating part takes the mean offset of the skin within about this distance.
NEARBY_METRES = 0.02


def spread_offset(head: HeadModel, index: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Vertex offset [V, 3] float32 that gives landmarks `index` [M] about `offset` [M, 3]."""
    edges = edges_of(head.faces)
    field = spread_on_skin(head, index, offset[None])[0]
    anchors = head.faces[head.landmark_faces[index], 0]
    return _carry_floating(head, edges, anchors, offset, field).astype(np.float32)


def spread_on_skin(head: HeadModel, index: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Vertex offsets [K, V, 3] float32 of K landmark offsets [K, M, 3]; what floats stays."""
    corners = head.faces[head.landmark_faces[index]]
    places = head.landmark_barycentrics[index]
    return smooth_fields(head.vertices, head.faces, corners, places, offsets).astype(np.float32)


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
