"""Gauss-Newton for frames that are tied in pairs by what was followed from one to the other.

Each of T frames has D unknowns. A track moves with both of its frames, so that the system is block
sparse: a band for neighbours, and rows of their own for frames that many are compared with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

CHUNK = 32768  # tracks whose blocks are in memory together


class Normal(NamedTuple):
    """Normal equations of T frames; block (first, second) stands for its transpose too. Blocks of
    one pair add up."""

    diagonal: np.ndarray  # [T, D, D]
    right: np.ndarray  # [T, D]
    pairs: np.ndarray  # [P, 2] frames
    blocks: np.ndarray  # [P, D, D]


def normal_of_tracks(
    frames: np.ndarray, here: np.ndarray, there: np.ndarray, error: np.ndarray, weight: np.ndarray,
    count: int,
) -> Normal:  # fmt: skip
    """Of N tracks between `frames` [N, 2], the errors [N, 2] in the second frame, weights [N], and
    what the first frame's unknowns take from the errors and the second's add to them, [N, 2, D].
    """
    size = here.shape[-1]
    pairs, which = np.unique(frames, axis=0, return_inverse=True)
    which = which.reshape(-1)
    diagonal, right = np.zeros((count, size, size)), np.zeros((count, size))
    blocks = np.zeros((len(pairs), size, size))
    for start in range(0, len(frames), CHUNK):
        part = slice(start, start + CHUNK)
        first, second = frames[part].T
        weighted = (here[part] * weight[part, None, None], there[part] * weight[part, None, None])
        for owner, j, w, sign in (
            (first, here[part], weighted[0], 1.0),
            (second, there[part], weighted[1], -1.0),
        ):
            np.add.at(diagonal, owner, np.swapaxes(w, -1, -2) @ j)
            np.add.at(right, owner, sign * np.einsum("nik,ni->nk", w, error[part]))
        np.add.at(blocks, which[part], -np.swapaxes(weighted[0], -1, -2) @ there[part])
    return Normal(diagonal, right, pairs, blocks)


def solved(normal: Normal) -> np.ndarray:
    """The step [T, D]."""
    count, size = normal.right.shape
    every = np.arange(count)
    transposed = np.swapaxes(normal.blocks, -1, -2)
    rows = np.concatenate([every, normal.pairs[:, 0], normal.pairs[:, 1]])
    columns = np.concatenate([every, normal.pairs[:, 1], normal.pairs[:, 0]])
    blocks = np.concatenate([normal.diagonal, normal.blocks, transposed])
    within = np.arange(size)
    row = size * rows[:, None, None] + within[:, None] + 0 * within
    column = size * columns[:, None, None] + within + 0 * within[:, None]
    shape = (count * size, count * size)
    matrix = csc_matrix((blocks.ravel(), (row.ravel(), column.ravel())), shape)
    # Symmetric and positive definite: no pivoting, and an order that keeps it sparse.
    factors = splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )  # fmt: skip
    return factors.solve(normal.right.ravel()).reshape(count, size)
