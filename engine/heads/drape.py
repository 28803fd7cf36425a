"""Our face draped over another head: where each of our 468 landmarks lies on its surface.

The built-in face is aligned with a few known places (anchors), bent smoothly until they meet, then
pulled onto the surface in rounds: a non-rigid ICP in the spirit of Amberg et al. 2007 whose
stiffness is the squared graph Laplacian of the displacement. Metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags, eye
from scipy.sparse.linalg import splu

from ..api.errors import HeadError
from .alignment import Similarity, similarity
from .closest_point import closest_points
from .landmarks import CHIN, LIDS_LEFT, LIDS_RIGHT

LANDMARKS = 468
ROUNDS = 12
ANCHOR_PULL = 30.0
STIFF, SUPPLE = 300.0, 3.0  # stiffness in the first and in the last round
MAX_MISFIT = 0.012  # metres, median: beyond it this is not a face
MIN_ANCHORS = 6


@dataclass(frozen=True)
class Draped:
    """Our landmarks on another head."""

    face: np.ndarray  # [468] index into the faces that were given
    barycentric: np.ndarray  # [468, 3]
    place: np.ndarray  # [468, 3]
    alignment: Similarity  # of the built-in head onto the other one


def drape(anchors: dict[int, np.ndarray], vertices: np.ndarray, faces: np.ndarray) -> Draped:
    """Drape our landmarks over the skin (vertices [V, 3], faces [F, 3]) of another head.

    `anchors`: landmark -> its place [3], at least MIN_ANCHORS of them. Raises HeadError when the
    surface is no face.
    """
    points = own_face()
    if len(anchors) < MIN_ANCHORS:
        raise HeadError(
            f"Only {len(anchors)} places of the face are known, {MIN_ANCHORS} are needed.",
            "Use a complete head model, with its lips, nose and eyes.",
        )
    index = np.array(list(anchors))
    target = np.array(list(anchors.values()), float)
    alignment = similarity(points[index], target)
    start = alignment.apply(points)
    moved = start + _bend(start, index, target - start[index], STIFF)
    for share in np.linspace(0, 1, ROUNDS):
        found = closest_points(moved, vertices, faces)
        stiffness = STIFF * (SUPPLE / STIFF) ** share
        moved = start + _bend(start, index, target - start[index], stiffness, found.place - start)
    found = closest_points(moved, vertices, faces)
    misfit = float(np.median(found.distance))
    if not misfit <= MAX_MISFIT:
        raise HeadError(
            f"The face does not fit this head: {misfit * 1000:.0f} mm off.",
            "Check that the file is a head in its rest pose, with y up and z to the front.",
        )
    return Draped(found.face, found.barycentric, found.place, alignment)


@lru_cache(maxsize=1)
def own_face() -> np.ndarray:
    """The built-in head's landmarks [468, 3], metres."""
    from .builtin import builtin_head

    return builtin_head().vertices[:LANDMARKS].astype(np.float64)


@lru_cache(maxsize=1)
def _stiffness() -> csr_matrix:
    """Squared graph Laplacian [468, 468] of the built-in face, lids and lips torn open."""
    from .builtin_face import face_table

    _, triangles, _ = face_table()
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    i, j = np.concatenate([pairs, pairs[:, ::-1]]).T
    adjacency = coo_matrix((np.ones(len(i)), (i, j)), shape=(LANDMARKS, LANDMARKS)).tocsr()
    degree = np.asarray(adjacency.sum(1)).ravel()
    laplacian = eye(LANDMARKS).tocsr() - diags(1 / degree) @ adjacency
    return laplacian.T @ laplacian


def _bend(
    start: np.ndarray,
    index: np.ndarray,
    shift: np.ndarray,
    stiffness: float,
    pull: np.ndarray | None = None,
) -> np.ndarray:
    """The smooth displacement [468, 3] that meets `shift` at `index` and `pull` everywhere."""
    weight = np.full(len(start), 1e-3 if pull is None else 1.0)
    target = np.zeros_like(start) if pull is None else weight[:, None] * pull
    # Lids are thin: their nearest surface is soon the wrong one, so only anchors move them.
    if pull is not None:
        lids = np.array(LIDS_LEFT + LIDS_RIGHT)
        weight[lids], target[lids] = 0.05, 0.05 * pull[lids]
    strength = np.where(index == CHIN, 0.02, 1.0) * ANCHOR_PULL
    np.add.at(weight, index, strength)
    np.add.at(target, index, strength[:, None] * shift)
    return splu((diags(weight) + stiffness * _stiffness()).tocsc()).solve(target)
