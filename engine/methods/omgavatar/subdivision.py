"""Midpoint subdivision of the head's mesh, and where its vertices lie on the original triangles.

Every edge gives a vertex at its middle, every triangle four; attributes are averaged over the edge
(paper 004, eq. 3 and 9). The paper calls it Loop's, but its code (PyTorch3D's) moves no old vertex.
The vertices of a level are the first ones of the next.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Level(NamedTuple):
    """The mesh after so many subdivisions."""

    faces: np.ndarray  # [F 4^l, 3]
    parents: np.ndarray  # [n_l - n_(l-1), 2] vertices of the level before, for each new vertex
    face: np.ndarray  # [n_l] int32 original triangle on which each vertex lies
    barycentric: np.ndarray  # [n_l, 3] float32 in it


def subdivided(faces: np.ndarray, levels: int) -> list[Level]:
    """Levels 0 to `levels` - 1 of a mesh with triangles [F, 3]; every vertex is in one."""
    count = int(faces.max()) + 1
    origin = np.arange(len(faces))
    corners = np.broadcast_to(np.eye(3), (len(faces), 3, 3))
    found = [_level(count, faces, np.zeros((0, 2), np.int64), origin, corners)]
    for _ in range(levels - 1):
        edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=-1)
        parents, index = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
        middle = count + index.reshape(-1, 3)  # of edges 01, 12, 20
        half = (corners + np.roll(corners, -1, 1)) / 2
        quarters = [
            (np.column_stack([faces[:, 0], middle[:, 0], middle[:, 2]]), (0, 3, 5)),
            (np.column_stack([faces[:, 1], middle[:, 1], middle[:, 0]]), (1, 4, 3)),
            (np.column_stack([faces[:, 2], middle[:, 2], middle[:, 1]]), (2, 5, 4)),
            (middle, (3, 4, 5)),
        ]
        six = np.concatenate([corners, half], axis=1)
        faces = np.concatenate([triangles for triangles, _ in quarters])
        corners = np.concatenate([six[:, list(which)] for _, which in quarters])
        origin = np.tile(origin, 4)
        count += len(parents)
        found.append(_level(count, faces, parents, origin, corners))
    return found


def _level(
    count: int, faces: np.ndarray, parents: np.ndarray, origin: np.ndarray, corners: np.ndarray
) -> Level:
    """A level of `count` vertices; `corners` [F, 3, 3] are the triangles' in their `origin`."""
    vertex, first = np.unique(faces.ravel(), return_index=True)
    if len(vertex) != count:
        raise ValueError("a vertex of the mesh is in no triangle")
    triangle, corner = np.divmod(first, 3)
    face = origin[triangle].astype(np.int32)
    return Level(faces, parents, face, corners[triangle, corner].astype(np.float32))
