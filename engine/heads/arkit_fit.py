"""The 52 ARKit expressions of any head: its own where it has them, else fitted to our meaning.

A missing expression is the built-in head's displacement of the landmarks, carried over: first by
the head's own expression basis (ridge least squares), which knows how its skin and teeth move
together, then what is left of it by the smoothest field. Metres.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .alignment import Similarity
from .builtin import builtin_head
from .builtin_shapes import EXPRESSIONS, JAW_OPEN_ANGLE
from .raw_head import RawHead
from .smooth_field import smooth_fields

# One standard deviation of a basis direction costs as much as an error of 1 mm at ten landmarks.
RIDGE = 10 * 0.001**2
TONGUE_OUT = np.array([0.0, 0.002, 0.04])
MOUTH_BULGE = 0.008  # metres: half the width of what comes out of a mouth without a tongue
REACH = 0.05  # metres from the face beyond which a carried-over field has died


def arkit_expressions(
    raw: RawHead, landmark_faces: np.ndarray, barycentrics: np.ndarray, placed: Similarity
) -> np.ndarray:
    """Displacements [52, V, 3] in the order of EXPRESSIONS."""
    result = np.zeros((len(EXPRESSIONS), *raw.vertices.shape))
    missing = [name for name in EXPRESSIONS if name not in raw.expressions]
    for name in EXPRESSIONS:
        if name in raw.expressions:
            result[EXPRESSIONS.index(name)] = raw.expressions[name]
    if "tongueOut" in missing:
        missing.remove("tongueOut")
        result[EXPRESSIONS.index("tongueOut")] = _tongue_out(raw)
    if missing:
        index = [EXPRESSIONS.index(name) for name in missing]
        corners = raw.faces[landmark_faces]
        result[index] = _carried(raw, index, corners, barycentrics, placed)
    return result


def _carried(
    raw: RawHead,
    index: list[int],
    corners: np.ndarray,
    barycentrics: np.ndarray,
    placed: Similarity,
) -> np.ndarray:
    """Displacements [n, V, 3] of our expressions `index`, carried over to another head."""
    own = builtin_head()
    target = placed.turn(own.expression_deltas[index, : len(corners)].astype(float))
    result = np.zeros((len(index), *raw.vertices.shape))
    if raw.basis is not None:
        seen = np.einsum("mk,bmkc->bmc", barycentrics, raw.basis[:, corners])
        flat = seen.reshape(len(seen), -1)
        codes = np.linalg.solve(
            flat @ flat.T + RIDGE * np.eye(len(flat)), flat @ target.reshape(len(index), -1).T
        )
        result = np.tensordot(codes.T, raw.basis, axes=1)
        target = target - np.tensordot(codes.T, seen, axes=1)
    inside = np.isin(raw.regions, ("eyeballs", "teeth", "tongue", "mouth"))
    near = _nearby(raw, corners, barycentrics)
    faces = raw.faces[~inside & (near[raw.faces] > 0).any(1)]
    result += smooth_fields(raw.vertices, faces, corners, barycentrics, target) * near[:, None]
    if raw.basis is None:
        _turn_the_jaw(raw, index, result, placed)
    return result


def _nearby(raw: RawHead, corners: np.ndarray, barycentrics: np.ndarray) -> np.ndarray:
    """1 [V] on the face and inside it, fading to 0 at REACH from the nearest landmark."""
    places = np.einsum("mk,mkc->mc", barycentrics, raw.vertices[corners])
    gap = cKDTree(places).query(raw.vertices)[0] / REACH
    t = np.clip(1.4 - 1.4 * gap, 0, 1)
    return t * t * (3 - 2 * t)


def _turn_the_jaw(raw: RawHead, index: list[int], result: np.ndarray, placed: Similarity) -> None:
    """Lower teeth and tongue follow our jaw's rigid motions, in place."""
    jaw = [a for a in (raw.lower_teeth, raw.tongue) if a is not None]
    if not jaw:
        return
    own = builtin_head()
    bone = np.concatenate(jaw)
    hinge = placed.apply(own.joint_positions[2].astype(float))
    offset = raw.vertices[bone] - hinge
    cosine, sine = np.cos(JAW_OPEN_ANGLE), np.sin(JAW_OPEN_ANGLE)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    motions = {
        "jawOpen": offset @ turn.T - offset,
        "jawLeft": np.broadcast_to([0.008, 0, 0], offset.shape),
        "jawRight": np.broadcast_to([-0.008, 0, 0], offset.shape),
        "jawForward": np.broadcast_to([0, -0.0005, 0.006], offset.shape),
    }
    for row, expression in enumerate(index):
        if EXPRESSIONS[expression] in motions:
            result[row, bone] = motions[EXPRESSIONS[expression]]


def _tongue_out(raw: RawHead) -> np.ndarray:
    """The tongue's front pushed out between the lips [V, 3]; without one, the mouth's inside."""
    field = np.zeros_like(raw.vertices)
    chosen = raw.tongue
    if chosen is None or not len(chosen):
        chosen = np.unique(raw.faces[raw.regions == "mouth"])
    if len(chosen):
        depth = raw.vertices[chosen, 2]
        share = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-6)
        field[chosen] = (share**1.5)[:, None] * TONGUE_OUT
        if raw.tongue is None:
            field[chosen] *= np.exp(-((raw.vertices[chosen, :1] / MOUTH_BULGE) ** 2))
    return field
