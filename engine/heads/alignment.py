"""Similarity alignment of point sets. Knows nothing of heads; units are the caller's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Similarity(NamedTuple):
    """x -> scale * rotation @ x + shift."""

    scale: float
    rotation: np.ndarray  # [3, 3]
    shift: np.ndarray  # [3]

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Moved points [..., 3]."""
        return self.scale * points @ self.rotation.T + self.shift

    def turn(self, vectors: np.ndarray) -> np.ndarray:
        """Moved displacements [..., 3]: scaled and turned, not shifted."""
        return self.scale * vectors @ self.rotation.T


def similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None
) -> Similarity:
    """Least-squares similarity of source [N, 3] onto target [N, 3] (Umeyama 1991)."""
    w = np.ones(len(source)) if weights is None else weights
    w = (w / w.sum())[:, None]
    middle, target_middle = (w * source).sum(0), (w * target).sum(0)
    a, b = source - middle, target - target_middle
    u, s, vt = np.linalg.svd((w * b).T @ a)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / (w * a * a).sum())
    return Similarity(scale, rotation, target_middle - scale * rotation @ middle)
