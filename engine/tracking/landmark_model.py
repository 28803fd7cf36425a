"""The head as its landmarks see it: M points, linear in identity, offset and expression.

Everything here is in head space (metres). Which landmarks are rigid is read off the expressions,
so that any head with an embedding will do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..api.head import HeadModel
from ..heads.landmarks import FACE_OVAL, LIDS_LEFT, LIDS_RIGHT, LIPS_INNER, LIPS_OUTER

FACE_LANDMARKS = 468  # the ten after them are irises, which belong to gaze
# A landmark that any expression moves by this much is no anchor for the pose.
RIGID_METRES = 0.003
# Down-weighted: the outline slides over the cheek as the head turns (facts/tracking.md 2).
OVAL_WEIGHT = 0.3
# Lids and lips are few and small, and they are what people look at.
LID_WEIGHT, LIP_WEIGHT = 4.0, 2.0


@dataclass(frozen=True)
class LandmarkModel:
    """Landmark positions: neutral + identity @ basis + offset + expression @ basis.

    MediaPipe draws landmarks of skin that stays beside it when a brow or the mouth moves: they
    slide over the head, and `expression` is of the landmarks.
    """

    index: np.ndarray  # [M] MediaPipe landmark of each point
    neutral: np.ndarray  # [M, 3]
    normals: np.ndarray  # [M, 3] outward, neutral
    identity: np.ndarray  # [I, M, 3]
    expression: np.ndarray  # [E, M, 3]
    slide: np.ndarray  # [E, M, 3] the share of it that the skin does not take part in
    weights: np.ndarray  # [M] trust in a landmark as such
    rigidity: np.ndarray  # [M] 1 rigid .. 0 moved by expressions

    def shaped(self, expression: np.ndarray) -> np.ndarray:
        """Points [T, M, 3] of expression coefficients [T, E]."""
        return self.neutral + np.tensordot(expression, self.expression, axes=1)

    def skin(self, expression: np.ndarray) -> np.ndarray:
        """What landmarks at rest mark, [T, M, 3], of expression coefficients [T, E]."""
        return self.neutral + np.tensordot(expression, self.expression - self.slide, axes=1)

    def with_neutral(self, neutral: np.ndarray) -> LandmarkModel:
        """The same model about another neutral [M, 3]."""
        return replace(self, neutral=neutral)


def landmark_model(head: HeadModel, slide: np.ndarray | None = None) -> LandmarkModel:
    """The landmark model of a head, whose identity basis may be empty; `slide` [E, M, 3] is none
    where it is not known."""
    index = np.nonzero(head.landmark_faces[:FACE_LANDMARKS] >= 0)[0]
    corners = head.faces[head.landmark_faces[index]]
    barycentrics = head.landmark_barycentrics[index].astype(np.float64)

    def at(field: np.ndarray) -> np.ndarray:
        return np.einsum(
            "mk,...mkc->...mc", barycentrics, field[..., corners, :].astype(np.float64)
        )

    triangles = head.vertices[corners].astype(np.float64)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    skin = at(head.expression_deltas)
    slide = np.zeros_like(skin) if slide is None else slide
    moved = np.linalg.norm(skin, axis=-1).max(0)
    weights = np.ones(len(index))
    for group, weight in (
        (FACE_OVAL, OVAL_WEIGHT),
        (LIDS_LEFT + LIDS_RIGHT, LID_WEIGHT),
        (LIPS_INNER + LIPS_OUTER, LIP_WEIGHT),
    ):
        weights[np.isin(index, group)] = weight
    return LandmarkModel(
        index=index,
        neutral=at(head.vertices),
        normals=normals,
        identity=at(head.identity_deltas)
        if len(head.identity_names)
        else np.zeros((0, len(index), 3)),
        expression=skin + slide,
        slide=slide,
        weights=weights,
        rigidity=1 / (1 + (moved / RIGID_METRES) ** 2),
    )
