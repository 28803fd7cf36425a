"""Closes an open mouth with a cavity: rings inwards from the lips' edge and a cap (paper 001).

FlashAvatar adds faces to FLAME's mouth so that teeth and tongue have something to live on. Here
each new vertex follows the edge vertex it hangs on, and the deeper it lies the more all of them.
Metres.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

# Depth of each ring behind the lips, its height against the edge's, share of the edge's own motion.
RINGS = ((0.004, 0.004, 0.85), (0.012, 0.012, 0.5), (0.028, 0.016, 0.2), (0.045, 0.012, 0.0))


class Cavity(NamedTuple):
    """New vertices as mixtures of old ones plus an offset, and the faces between them."""

    mix: csr_matrix  # [n, V], rows sum to 1
    offset: np.ndarray  # [n, 3]
    faces: np.ndarray  # [m, 3] over old vertices, then new ones ring by ring, then the cap

    def extended(self, fields: np.ndarray) -> np.ndarray:
        """Fields [V, ...] with the new vertices' rows appended."""
        flat = fields.reshape(len(fields), -1)
        return np.concatenate([flat, self.mix @ flat]).reshape(-1, *fields.shape[1:])


def mouth_cavity(vertices: np.ndarray, loop: np.ndarray) -> Cavity:
    """The cavity behind the lips' open edge `loop` [n], as `boundaries.open_loops` gives it."""
    count, size = len(vertices), len(loop)
    edge = vertices[loop]
    middle = edge.mean(0)
    half = max(float(np.ptp(edge[:, 0])) / 2, 1e-6)
    # Upper and lower edges part inside: by their side of the line between the corners.
    rank = np.argsort(np.argsort(edge[:, 1] - _corner_line(edge)))
    upwards = np.sign(rank - (size - 1) / 2) * np.sqrt(
        np.clip(1 - ((edge[:, 0] - middle[0]) / half) ** 2, 0, 1)
    )
    rows, offsets = [], []
    for depth, height, own in RINGS:
        rows.append(own * np.eye(size) + (1 - own) / size)
        place = edge + np.column_stack([0 * upwards, height * upwards, 0 * upwards - depth])
        offsets.append(place - rows[-1] @ edge)
    rows.append(np.full((1, size), 1 / size))
    offsets.append(np.array([[0, 0, -RINGS[-1][0] - 0.004]]))
    mixed = np.concatenate(rows)
    columns = np.tile(loop, (len(mixed), 1))
    index = np.repeat(np.arange(len(mixed)), size)
    mix = csr_matrix((mixed.ravel(), (index, columns.ravel())), shape=(len(mixed), count))
    return Cavity(mix, np.concatenate(offsets), _faces(loop, count))


def _corner_line(edge: np.ndarray) -> np.ndarray:
    """Height [n] of the straight line between the mouth's corners at each point's x."""
    right, left = edge[edge[:, 0].argmin()], edge[edge[:, 0].argmax()]
    share = (edge[:, 0] - right[0]) / max(left[0] - right[0], 1e-9)
    return right[1] + share * (left[1] - right[1])


def _faces(loop: np.ndarray, count: int) -> np.ndarray:
    """Two triangles per cell from the edge to the last ring, then a fan to the cap."""
    size = len(loop)
    rings = [loop, *(count + size * k + np.arange(size) for k in range(len(RINGS)))]
    faces = []
    for outer, inner in zip(rings, rings[1:], strict=False):
        a, b, c, d = outer, np.roll(outer, -1), np.roll(inner, -1), inner
        faces += [np.column_stack([a, b, c]), np.column_stack([a, c, d])]
    cap = np.full(size, count + size * len(RINGS))
    faces.append(np.column_stack([rings[-1], np.roll(rings[-1], -1), cap]))
    return np.concatenate(faces)
