"""The CPU kernel of bounded least squares; it is compiled, or read from the cache, on import."""

from __future__ import annotations

from ..jit import EXACT_MATH, kernel


@kernel(
    "void(float32[:,:,::1], float32[:,::1], int64[::1], float64, float64, float32[:,::1])",
    EXACT_MATH,
)
def descend(hessian, target, free, ridge, steady, c):
    """One sweep over the coefficients `c` [T, E] in place, odd frames after even ones: each of the
    `free` expressions [F] goes where it costs least within 0..1, the others held.

    `hessian` [T, E, E] without the `ridge`, and `target` [T, E] the right side; `steady` pulls
    towards both neighbours in time.
    """
    frames, size = c.shape
    for parity in range(2):
        for t in range(parity, frames, 2):
            for e in free:
                value, diagonal = target[t, e], hessian[t, e, e] + ridge
                for k in range(size):
                    value -= hessian[t, e, k] * c[t, k]
                value += hessian[t, e, e] * c[t, e]
                for neighbour in (t - 1, t + 1):
                    if 0 <= neighbour < frames:
                        value += steady * c[neighbour, e]
                        diagonal += steady
                c[t, e] = min(max(value / diagonal, 0.0), 1.0)
