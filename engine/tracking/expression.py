"""Expression coefficients of all frames by bounded least squares, steady in time and sparse.

Minimises over 0 <= c <= 1, with H and g from reprojection in pixels:
    sum_t c'Hc/2 - g'c + sparse * sum c + ridge |c|^2/2 + steady/2 |c_t - c_(t-1)|^2
by exact coordinate descent, odd and even frames in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .landmark_model import LandmarkModel
from .pose import Observations, Poses, equations, robust

CHUNK = 64  # frames whose Jacobians are in memory together


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
    count, size = len(current), len(model.expression)
    basis = model.expression.transpose(1, 2, 0)  # [M, 3, E]
    hessian = np.zeros((count, size, size), np.float32)
    gradient = np.zeros((count, size), np.float32)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        pose = poses.at(part)
        shaped = model.shaped(current[part])
        rows, right = equations(pose.apply(shaped), seen.at(part))
        turned = (rows @ pose.rotation[:, None]).astype(np.float32)
        residual = right - np.einsum("tmij,tmj->tmi", rows, pose.apply(shaped))
        neutral = right - np.einsum("tmij,tmj->tmi", rows, pose.apply(model.neutral))
        weights = seen.weights[part] * robust(residual, 8.0)
        scale = np.sqrt(weights).astype(np.float32)
        jacobian = turned @ basis.astype(np.float32) * scale[..., None, None]
        jacobian = jacobian.reshape(len(shaped), -1, size)
        value = (neutral * scale[..., None]).reshape(len(shaped), -1, 1).astype(np.float32)
        transposed = np.swapaxes(jacobian, 1, 2)
        hessian[part] = transposed @ jacobian
        gradient[part] = (transposed @ value)[..., 0]
    return hessian, gradient


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
    count = len(gradient)
    c = np.clip(start, 0, 1).astype(np.float32)
    steady = prior.steady * (fps / 25) ** 2 if count > 1 else 0.0
    neighbours = np.full(count, 2.0, np.float32)
    neighbours[[0, -1]] = 1.0 if count > 1 else 0.0
    diagonal = np.einsum("tee->te", hessian) + prior.ridge + steady * neighbours[:, None]
    free = np.nonzero(~fixed)[0]
    for _ in range(sweeps):
        before = c.copy()
        for parity in (0, 1):
            own = slice(parity, None, 2)
            for e in free:
                pull = _neighbour_sum(c[:, e])[own] * steady
                others = np.einsum("tk,tk->t", hessian[own, e], c[own]) - (
                    hessian[own, e, e] * c[own, e]
                )
                value = gradient[own, e] - prior.sparse - others + pull
                c[own, e] = np.clip(value / diagonal[own, e], 0, 1)
        if np.abs(c - before).max() < 1e-3:
            break
    return c


def _neighbour_sum(values: np.ndarray) -> np.ndarray:
    total = np.zeros_like(values)
    total[1:] += values[:-1]
    total[:-1] += values[1:]
    return total
