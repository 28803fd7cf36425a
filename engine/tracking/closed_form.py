"""Closed-form matting (Levin, Lischinski and Weiss 2008), solved for the unknown band only.

The only file that imports pymatting: for the preconditioner and the conjugate gradients. Its
Laplacian covers whole rectangles, most of whose pixels are known.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_matrix

WINDOW_EPSILON = 1e-7
# Pull of the colour's own estimate against the Laplacian; ten times as much lets the wall in.
SHARE_WEIGHT = 0.01
# Pixels that share a window of 3 x 3 with another are so far from it, in both directions.
REACH = 2
# Of a row of the Laplacian: as many entries, and which of them is the pixel's own.
ENTRIES, OWN = 25, 12


def closed_form_alpha(
    image: np.ndarray, known: np.ndarray, share: np.ndarray | None = None
) -> np.ndarray:
    """Alpha [H, W] float32 of an image [H, W, 3] uint8 and a trimap with 0.5 where unknown.

    Where `share` [H, W] is a number, alpha is drawn towards it: thin hair is worth too little to
    the smooth solution, which would rather not have it.
    """
    from pymatting import cg, ichol

    alpha = known.astype(np.float32)
    unknown = known == 0.5
    if not unknown.any():
        return alpha
    number = np.full(known.shape, -1)
    number[unknown] = np.arange(unknown.sum())
    rows = laplacian_rows(image, number)
    drawn = np.full(len(rows), np.nan) if share is None else share[unknown]
    weight = np.where(np.isnan(drawn), 1e-8, SHARE_WEIGHT)
    rows[:, OWN] += weight
    matrix, right = laplacian_system(rows, number, known)
    right += weight * np.nan_to_num(drawn)
    solution = cg(matrix, right, M=ichol(matrix), rtol=1e-5, maxiter=500)
    alpha[unknown] = np.clip(solution, 0, 1)
    return alpha


def laplacian_rows(image: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Rows [N, ENTRIES] of the matting Laplacian: for each pixel that has a `number` [H, W], others
    have -1, its entries for the 5 x 5 pixels around it, in their order."""
    from .matting_kernel import add_windows

    rows = np.zeros((number.max() + 1, ENTRIES))
    add_windows(image / 255, number, WINDOW_EPSILON, rows)
    return rows


def laplacian_system(
    rows: np.ndarray, number: np.ndarray, known: np.ndarray
) -> tuple[csc_matrix, np.ndarray]:
    """Matrix [N, N] and right side [N] for the pixels with a `number`; the others' alpha is
    `known`. The matrix is symmetric, so its rows are its columns."""
    width = number.shape[1] + 2 * REACH
    number, target = (np.pad(image, REACH, constant_values=-1).ravel() for image in (number, known))
    reach = np.arange(-REACH, REACH + 1)
    pixels = np.flatnonzero(number >= 0)
    around = pixels[:, None] + (reach[:, None] * width + reach).ravel()
    neighbours = number[around]
    free = neighbours >= 0
    # Beyond the image there is no window, and so nothing to multiply the -1 there with.
    right = -np.einsum("ne,ne->n", rows, np.where(free, 0, target[around]))
    ends = np.append(0, free.sum(1).cumsum())
    return csc_matrix((rows[free], neighbours[free], ends), (len(rows), len(rows))), right
