"""The CPU kernel of closed-form matting; it is compiled, or read from the cache, on import."""

from __future__ import annotations

import numpy as np

from ..jit import EXACT_MATH, device, kernel


@device(EXACT_MATH)
def _dot(a, b):
    total = 0.0
    for index in range(len(a)):
        total += a[index] * b[index]
    return total


@device(EXACT_MATH)
def _look(window, epsilon, centred, inverse):
    """Colours [9, 3] of a window [3, 3, 3] less their mean, and the covariance's inverse [3, 3]."""
    covariance = inverse.copy()
    for a in range(3):
        mean = window[:, :, a].sum() / 9
        for i in range(9):
            centred[i, a] = window[i // 3, i % 3, a] - mean
    for a in range(3):
        for b in range(3):
            covariance[a, b] = (epsilon * (a == b) + _dot(centred[:, a], centred[:, b])) / 9
    for a in range(3):
        one, two = covariance[(a + 1) % 3], covariance[(a + 2) % 3]
        for b in range(3):
            c, d = (b + 1) % 3, (b + 2) % 3
            inverse[a, b] = one[c] * two[d] - one[d] * two[c]
    inverse /= _dot(covariance[0], inverse[0])


@kernel("void(float64[:,:,::1], int64[:,::1], float64, float64[:,::1])", EXACT_MATH)
def add_windows(image, number, epsilon, rows):
    """Add to `rows` [N, 25] what the windows k of 3 x 3 pixels of an image [H, W, 3] say:
    [i = j] - (1 + (I_i - mean_k)' inverse_k (I_j - mean_k)) / 9 (Levin 2008, eq. 12).

    `number` [H, W] is a pixel's row or -1; the columns are the 5 x 5 pixels around it.
    """
    height, width, _ = image.shape
    centred, inverse, slope = np.empty((9, 3)), np.empty((3, 3)), np.empty(3)
    for y in range(height - 2):
        for x in range(width - 2):
            own = number[y : y + 3, x : x + 3]
            if own.max() < 0:
                continue
            _look(image[y : y + 3, x : x + 3], epsilon, centred, inverse)
            for i in range(9):
                row = own[i // 3, i % 3]
                if row < 0:
                    continue
                for channel in range(3):
                    slope[channel] = _dot(inverse[channel], centred[i])
                for j in range(9):
                    column = 5 * (j // 3 - i // 3 + 2) + j % 3 - i % 3 + 2
                    rows[row, column] += (i == j) - (1 + _dot(slope, centred[j])) / 9
