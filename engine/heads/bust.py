"""Shoulders and chest for heads that end at the neck: rings from its open edge downwards. Metres.

A crop of footage shows shoulders; without them their Gaussians would have nothing to live on.
"""

from __future__ import annotations

import numpy as np

from .alignment import Similarity
from .boundaries import open_loops
from .builtin_body import SHOULDER_RINGS, shoulder_ring
from .builtin_proportions import NECK_AXIS_Z
from .surface import Surface, grid_uvs

# The atlas box of the bust before packing: a band, once round the body.
BAND = (0.0, 0.0, 1.0, 1.0)
CLEARANCE = 0.006  # metres that a ring must lie below the neck's edge


def bust(
    vertices: np.ndarray, faces: np.ndarray, placed: Similarity
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New vertices [n, 3], faces [m, 3] over old and new ones, and their UVs [m, 3, 2] in 0..1.

    `placed` carries the built-in head onto this one. Nothing is added (m = 0) to a head whose edge
    already lies as low as our chest.
    """
    loop = max(open_loops(faces), key=lambda loop: -vertices[loop, 1].mean())
    own = (vertices[loop] - placed.shift) @ placed.rotation / placed.scale * 1000
    angle = np.arctan2(own[:, 0], own[:, 2] - NECK_AXIS_Z)
    rows: list[np.ndarray] = [loop]
    points: list[np.ndarray] = []
    floor = own[:, 1]
    for shape in SHOULDER_RINGS:
        ring = shoulder_ring(angle, shape)
        if (ring[:, 1] < floor - CLEARANCE * 1000).all():
            rows.append(len(vertices) + np.arange(len(loop)) + len(loop) * len(points))
            points.append(placed.apply(ring / 1000))
            floor = ring[:, 1]
    if not points:
        return np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros((0, 3, 2))
    grid = np.stack([np.append(row, row[0]) for row in rows])
    surface = Surface()
    uvs = grid_uvs(np.linspace(0, 1, len(grid)), grid.shape[1], BAND)
    # The loop runs as new faces do: from left to right seen from inside.
    surface.add_grid(grid, uvs, "shoulders", flip=True)
    return np.concatenate(points), np.concatenate(surface.faces), np.concatenate(surface.uvs)
