"""The head as its landmarks see it: M points, linear in identity, offset and expression.

Everything here is in head space (metres). Which landmarks are rigid is read off the expressions,
so that any head with an embedding will do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..api.head import HeadModel

FACE_LANDMARKS = 468  # the ten after them are irises, which belong to gaze
# A landmark that any expression moves by this much is no anchor for the pose.
RIGID_METRES = 0.003
# Down-weighted: the outline slides over the cheek as the head turns (facts/tracking.md 2).
OVAL_WEIGHT = 0.3
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


@dataclass(frozen=True)
class LandmarkModel:
    """Landmark positions: neutral + identity @ basis + offset + expression @ basis."""

    index: np.ndarray  # [M] MediaPipe landmark of each point
    neutral: np.ndarray  # [M, 3]
    normals: np.ndarray  # [M, 3] outward, neutral
    identity: np.ndarray  # [I, M, 3]
    expression: np.ndarray  # [E, M, 3]
    weights: np.ndarray  # [M] trust in a landmark as such
    rigidity: np.ndarray  # [M] 1 rigid .. 0 moved by expressions

    def shaped(self, expression: np.ndarray) -> np.ndarray:
        """Points [T, M, 3] of expression coefficients [T, E]."""
        return self.neutral + np.tensordot(expression, self.expression, axes=1)

    def with_neutral(self, neutral: np.ndarray) -> LandmarkModel:
        """The same model about another neutral [M, 3]."""
        return replace(self, neutral=neutral)


def landmark_model(head: HeadModel) -> LandmarkModel:
    """The landmark model of a head; its identity basis may be empty."""
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
    expression = at(head.expression_deltas)
    moved = np.linalg.norm(expression, axis=-1).max(0)
    weights = np.ones(len(index))
    weights[np.isin(index, FACE_OVAL)] = OVAL_WEIGHT
    return LandmarkModel(
        index=index,
        neutral=at(head.vertices),
        normals=normals,
        identity=at(head.identity_deltas)
        if len(head.identity_names)
        else np.zeros((0, len(index), 3)),
        expression=expression,
        weights=weights,
        rigidity=1 / (1 + (moved / RIGID_METRES) ** 2),
    )
