"""CPU kernels: structural similarity of two images, and its gradient by the first, in two passes.

SSIM = A1 A2 / (B1 B2) of blurred images (Wang et al. 2004, eq. 13): with p, m the blurs of x and y,
and q, s, r those of x^2, y^2 and x y, it is A1 = 2 p m + C1, A2 = 2 (r - p m) + C2,
B1 = p^2 + m^2 + C1 and B2 = (q - p^2) + (s - m^2) + C2. The first pass sums it and leaves its
slopes by p, q and r; the second blurs those: d/dx = blur(S_p) + 2 x blur(S_q) + y blur(S_r).

Images are rows of interleaved RGB, so the same colour of the next pixel is three numbers on. The
window is separable, and symmetric; beyond the border everything is zero.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..jit import VECTOR_MATH, device, kernel, next_index
from . import similarity_window
from .similarity_window import RADIUS, SIGMA
from .threads import run

C1, C2 = np.float32(similarity_window.C1), np.float32(similarity_window.C2)
_COLOURS = 3
_PAD = RADIUS * _COLOURS
_BAND = 16
"""Rows that a thread takes at a time."""
_WEIGHTS = np.exp(-(np.arange(-RADIUS, RADIUS + 1) ** 2) / (2 * SIGMA**2))
_TAPS = (_WEIGHTS / _WEIGHTS.sum()).astype(np.float32)
_W0, _W1, _W2, _W3, _W4, _W5 = _TAPS[RADIUS:]
_TWO, _ZERO = np.float32(2), np.float32(0)


@device(VECTOR_MATH)
def _across(row, i):
    """The blur along a padded row at number i of what lies between the pads."""
    centre = i + np.uint64(_PAD)
    return (
        _W0 * row[centre]
        + _W1 * (row[centre - np.uint64(3)] + row[centre + np.uint64(3)])
        + _W2 * (row[centre - np.uint64(6)] + row[centre + np.uint64(6)])
        + _W3 * (row[centre - np.uint64(9)] + row[centre + np.uint64(9)])
        + _W4 * (row[centre - np.uint64(12)] + row[centre + np.uint64(12)])
        + _W5 * (row[centre - np.uint64(15)] + row[centre + np.uint64(15)])
    )


@device(VECTOR_MATH)
def _add_moments(x, y, weight, moments):
    p, m, q, s, r = moments[0], moments[1], moments[2], moments[3], moments[4]
    for i in range(np.uint64(x.size)):
        a, b, at = x[i], y[i], i + np.uint64(_PAD)
        p[at] += weight * a
        m[at] += weight * b
        q[at] += weight * a * a
        s[at] += weight * b * b
        r[at] += weight * a * b


@device(VECTOR_MATH)
def _similar(moments, by_p, by_q, by_r):
    """Sum of SSIM along a row, whose slopes are written, of moments blurred downwards."""
    total = _ZERO
    for i in range(np.uint64(by_p.size)):
        p, m = _across(moments[0], i), _across(moments[1], i)
        q, s, r = _across(moments[2], i), _across(moments[3], i), _across(moments[4], i)
        a1, a2 = _TWO * p * m + C1, _TWO * (r - p * m) + C2
        b1, b2 = p * p + m * m + C1, (q - p * p) + (s - m * m) + C2
        shared = _TWO / (b1 * b2)
        value = a1 * a2 * shared / _TWO
        total += value
        by_p[i] = shared * m * (a2 - a1) + _TWO * p * value * (b1 - b2) / (b1 * b2)
        by_q[i] = -value / b2
        by_r[i] = shared * a1
    return total


@kernel(
    "void(int64[::1], float32[:,:,::1], float32[:,:,::1], float32[:,:,:,::1], float64[::1])",
    VECTOR_MATH,
)
def similarity(counter, x, y, slopes, sums):
    """Sums [images H] of SSIM by row, slopes [images, 3, H, 3 W], of images [images, H, 3 W]."""
    images, height, width = x.shape
    bands = (height + _BAND - 1) // _BAND
    moments = np.zeros((5, width + 2 * _PAD), np.float32)
    while True:
        unit = next_index(counter)
        if unit >= images * bands:
            return
        b, top = unit // bands, unit % bands * _BAND
        for row in range(top, min(top + _BAND, height)):
            moments[:, _PAD : _PAD + width] = _ZERO
            for other in range(max(row - RADIUS, 0), min(row + RADIUS + 1, height)):
                weight = _TAPS[other - row + RADIUS]
                _add_moments(x[b, other], y[b, other], weight, moments)
            by_p, by_q, by_r = slopes[b, 0, row], slopes[b, 1, row], slopes[b, 2, row]
            sums[b * height + row] = _similar(moments, by_p, by_q, by_r)


@device(VECTOR_MATH)
def _add_slopes(source, weight, into):
    for i in range(np.uint64(source.size)):
        into[i + np.uint64(_PAD)] += weight * source[i]


@device(VECTOR_MATH)
def _combine(x, y, blurred, scale, gradient):
    for i in range(np.uint64(x.size)):
        by_p, by_q = _across(blurred[0], i), _across(blurred[1], i)
        by_r = _across(blurred[2], i)
        gradient[i] = scale * (by_p + _TWO * x[i] * by_q + y[i] * by_r)


@kernel(
    "void(int64[::1], float32[:,:,::1], float32[:,:,::1], float32[:,:,:,::1], float32,"
    " float32[:,:,::1])",
    VECTOR_MATH,
)
def similarity_backward(counter, x, y, slopes, scale, gradient):
    """Gradient [images, H, 3 W] by x of `scale` times the sum of SSIM, of its slopes."""
    images, height, width = x.shape
    bands = (height + _BAND - 1) // _BAND
    blurred = np.zeros((3, width + 2 * _PAD), np.float32)
    while True:
        unit = next_index(counter)
        if unit >= images * bands:
            return
        b, top = unit // bands, unit % bands * _BAND
        for row in range(top, min(top + _BAND, height)):
            blurred[:, _PAD : _PAD + width] = _ZERO
            for other in range(max(row - RADIUS, 0), min(row + RADIUS + 1, height)):
                weight = _TAPS[other - row + RADIUS]
                for k in range(3):
                    _add_slopes(slopes[b, k, other], weight, blurred[k])
            _combine(x[b, row], y[b, row], blurred, scale, gradient[b, row])


def similarity_gradient(image: Tensor, target: Tensor) -> tuple[float, Tensor]:
    """Mean SSIM of images [B, H, W, 3] float32 and its gradient by `image`, on all threads."""
    x, y = (value.detach().contiguous().flatten(2).numpy() for value in (image, target))
    images, height, width = x.shape
    slopes = np.empty((images, 3, height, width), np.float32)
    sums = np.empty(images * height)
    run(similarity, x, y, slopes, sums)
    gradient = torch.empty_like(image, memory_format=torch.contiguous_format)
    scale = np.float32(1 / x.size)
    run(similarity_backward, x, y, slopes, scale, gradient.flatten(2).numpy())
    return float(sums.sum()) / x.size, gradient
