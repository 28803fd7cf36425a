"""Expression coefficients of all frames by bounded least squares, steady in time and sparse.

Minimises over 0 <= c <= 1, with H and g from reprojection in pixels:
    sum_t c'Hc/2 - g'c + sparse * sum c + ridge |c|^2/2 + steady/2 |c_t - c_(t-1)|^2
by exact coordinate descent, odd and even frames in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .in_order import in_chunks
from .landmark_model import LandmarkModel
from .pose import Observations, Poses, equations, robust


@dataclass(frozen=True)
class ExpressionPrior:
    """Weights in px^2 summed over the landmarks."""

    sparse: float = 40.0
    """Pull to zero; it keeps a blink out of the brows and the jaw."""
    ridge: float = 150.0
    """Damping. Landmark errors are shared by whole regions, so the prior outweighs their number."""
    steady: float = 25.0
    """Between frames at 25 fps; small against the 10^4 px^2 of a blink or an open jaw."""


def normal_equations(
    model: LandmarkModel, poses: Poses, current: np.ndarray, seen: Observations
) -> tuple[np.ndarray, np.ndarray]:
    """H [T, E, E] and g [T, E] about zero expression, robust at coefficients `current` [T, E]."""

    def equate(part: slice) -> tuple[np.ndarray, np.ndarray]:
        return _normal_equations(model, poses.at(part), current[part], seen.at(part))

    hessian, gradient = zip(*in_chunks(equate, len(current)), strict=True)
    return np.concatenate(hessian), np.concatenate(gradient)


def _normal_equations(
    model: LandmarkModel, poses: Poses, current: np.ndarray, seen: Observations
) -> tuple[np.ndarray, np.ndarray]:
    basis = model.expression.transpose(1, 2, 0).astype(np.float32)  # [M, 3, E]
    camera = poses.apply(model.shaped(current))
    rows, right = equations(camera, seen)
    turned = (rows @ poses.rotation[:, None]).astype(np.float32)
    residual = right - np.einsum("tmij,tmj->tmi", rows, camera)
    neutral = right - np.einsum("tmij,tmj->tmi", rows, poses.apply(model.neutral))
    scale = np.sqrt(seen.weights * robust(residual, 8.0)).astype(np.float32)
    jacobian = turned @ basis * scale[..., None, None]
    jacobian = jacobian.reshape(len(current), -1, len(model.expression))
    value = (neutral * scale[..., None]).reshape(len(current), -1, 1).astype(np.float32)
    transposed = np.swapaxes(jacobian, 1, 2)
    return transposed @ jacobian, (transposed @ value)[..., 0]


def solve_expressions(
    hessian: np.ndarray,
    gradient: np.ndarray,
    start: np.ndarray,
    fixed: np.ndarray,
    fps: float,
    prior: ExpressionPrior,
    sweeps: int = 30,
) -> np.ndarray:
    """Coefficients [T, E] within 0..1. `fixed` [E] boolean: those keep their start value."""
    from .expression_kernel import descend

    c = np.clip(start, 0, 1).astype(np.float32)
    target = gradient - np.float32(prior.sparse)
    steady = prior.steady * (fps / 25) ** 2
    for _ in range(sweeps):
        before = c.copy()
        descend(hessian, target, np.flatnonzero(~fixed), prior.ridge, steady, c)
        if np.abs(c - before).max() < 1e-3:
            break
    return c
