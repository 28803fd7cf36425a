"""Cuts a surface open along the shortest way between two vertices, so that it unwraps well."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from .smooth_field import edges_of


def shortest_way(vertices: np.ndarray, faces: np.ndarray, start: int, end: int) -> np.ndarray:
    """Vertices [n] from `start` to `end` along edges."""
    edges = edges_of(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    count = len(vertices)
    graph = coo_matrix((length, edges.T), shape=(count, count)).tocsr()
    before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)[1]
    way = [end]
    while way[-1] != start:
        way.append(int(before[way[-1]]))
    return np.array(way[::-1])


def cut_open(faces: np.ndarray, way: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces [F, 3] with the vertices of `way` doubled on its right side, and the doubled ones [n].

    `way` starts on an open edge and ends inside; its last vertex stays one. New vertices are
    numbered from `count` in the order of `way[:-1]`.
    """
    result = faces.copy()
    for step, vertex in enumerate(way[:-1]):
        neighbours = {int(way[step + 1])} | ({int(way[step - 1])} if step else set())
        around = np.flatnonzero((faces == vertex).any(1))
        for face in _right_of(faces, around, int(vertex), int(way[step + 1]), neighbours):
            result[face, faces[face] == vertex] = count + step
    return result, way[:-1]


def _right_of(
    faces: np.ndarray, around: np.ndarray, vertex: int, following: int, barred: set[int]
) -> list[int]:
    """Those of the faces round a vertex that lie right of the way on to `following`.

    They begin with the face that runs the edge backwards and go on over edges that are not barred.
    """
    others = {int(face): [int(v) for v in faces[face] if v != vertex] for face in around}
    first = [face for face in others if _runs(faces[face], following, vertex)]
    reached, waiting = set(first), list(first)
    while waiting:
        face = waiting.pop()
        for other, corners in others.items():
            shared = set(corners) & set(others[face]) - barred
            if other not in reached and shared:
                reached.add(other)
                waiting.append(other)
    return sorted(reached)


def _runs(face: np.ndarray, a: int, b: int) -> bool:
    """Whether a face runs from a to b."""
    corners = face.tolist()
    return a in corners and corners[(corners.index(a) + 1) % 3] == b
