"""Open edges of a triangle surface, as loops, and its loose parts. Knows nothing of heads."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def loose_parts(faces: np.ndarray, count: int) -> np.ndarray:
    """Part [V] that each of `count` vertices belongs to."""
    i, j = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def open_loops(faces: np.ndarray) -> list[np.ndarray]:
    """Closed runs of vertices [n] along open edges, against the faces' sense; longest first.

    Each edge of the loop, taken as (loop[k], loop[k+1]), is the one that a new face would run.
    """
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = {(int(a), int(b)) for a, b in directed}
    following: dict[int, int] = {b: a for a, b in there if (b, a) not in there}
    loops = []
    while following:
        start = next(iter(following))
        loop, vertex = [start], following.pop(start)
        while vertex != start and vertex in following:
            loop.append(vertex)
            vertex = following.pop(vertex)
        if vertex == start and len(loop) >= 3:
            loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)
