"""Eyeballs of foreign heads: the part of each ball that can be seen, with a plain unwrapping.

Files bring eyeballs of several shells whose UVs lie over one another; what a picture can show of an
eye is the front of its outermost shell. Metres.
"""

from __future__ import annotations

import numpy as np

# Degrees from the gaze beyond which no turn of the eye brings its surface into view.
SEEN = 110.0


def eye_caps(
    vertices: np.ndarray, faces: np.ndarray, parts: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces [n, 3] of the visible caps, their side [n] (0 left, 1 right) and UVs [n, 3, 2] in 0..1.

    `faces` are those of all shells, `parts` [V] the loose part of each vertex, `centres` [2, 3].
    """
    kept, sides, uvs = [], [], []
    for side, centre in enumerate(centres):
        middle = vertices[faces].mean(1)
        near = np.linalg.norm(middle[:, None] - centres[None], axis=-1).argmin(1) == side
        shell = faces[near & (parts[faces[:, 0]] == _outermost(vertices, faces[near], parts))]
        direction = vertices - centre
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
        angle = np.arccos(np.clip(direction[:, 2], -1, 1))
        shell = shell[(angle[shell] < np.deg2rad(SEEN)).all(1)]
        # Azimuthal equidistant: distances from the middle of the cap are kept.
        flat = direction[:, :2] / np.maximum(np.hypot(*direction[:, :2].T), 1e-9)[:, None]
        unwrapped = 0.5 + 0.5 * flat * (angle / np.deg2rad(SEEN))[:, None]
        kept.append(shell)
        sides.append(np.full(len(shell), side))
        uvs.append(unwrapped[shell])
    return np.concatenate(kept), np.concatenate(sides), np.concatenate(uvs)


def _outermost(vertices: np.ndarray, faces: np.ndarray, parts: np.ndarray) -> int:
    """The loose part that reaches furthest to the front."""
    return int(parts[faces.ravel()[vertices[faces.ravel(), 2].argmax()]])
