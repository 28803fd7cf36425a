"""Where the portrait's person stands and who it is: the built-in head fitted to the landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from ..api.head import HeadModel, HeadParams
from ..api.rotations import matrix_from_rotvec
from .camera import FOCAL, project

# What a broad smile uses; only these are fitted to the photo.
SMILE = (
    "mouthSmileLeft", "mouthSmileRight", "mouthUpperUpLeft", "mouthUpperUpRight", "jawOpen",
    "mouthLowerDownLeft", "mouthLowerDownRight", "cheekSquintLeft", "cheekSquintRight",
    "eyeSquintLeft", "eyeSquintRight", "mouthStretchLeft", "mouthStretchRight",
)  # fmt: skip
SMILE_PRIOR, IDENTITY_PRIOR = 1.5, 6.0  # pixels that a coefficient of 1 costs
IDENTITY_LIMIT = 3.0


@dataclass(frozen=True)
class _Landmarks:
    """The head seen at L landmarks: neutral places, then smile and identity directions."""

    base: np.ndarray  # [L, 3]
    shapes: np.ndarray  # [S + I, L, 3]
    target: np.ndarray  # [L, 2] pixels in the photo

    def world(self, x: np.ndarray) -> np.ndarray:
        """World places [L, 3] of the unknowns: rotation 3, translation 3, coefficients S + I."""
        shaped = self.base + np.tensordot(x[6:], self.shapes, axes=1)
        return shaped @ matrix_from_rotvec(x[:3]).T + x[3:6]

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Pixels off, and the priors."""
        smile, identity = x[6 : 6 + len(SMILE)], x[6 + len(SMILE) :]
        off = (project(self.world(x)) - self.target).ravel()
        return np.concatenate([off, SMILE_PRIOR * smile, IDENTITY_PRIOR * identity])

    def solve(self) -> np.ndarray:
        """Unknowns by bounded, robust least squares."""
        start = np.zeros(6 + len(self.shapes))
        start[5] = -FOCAL * np.ptp(self.base[:, 0]) / np.ptp(self.target[:, 0])
        start[6 : 6 + len(SMILE)] = 0.1
        identities = len(self.shapes) - len(SMILE)
        limit = np.full(identities, IDENTITY_LIMIT)
        lower = np.concatenate([np.full(6, -np.inf), np.zeros(len(SMILE)), -limit])
        upper = np.concatenate([np.full(6, np.inf), np.ones(len(SMILE)), limit])
        bounds = (lower, upper)
        return least_squares(self.residual, start, bounds=bounds, loss="soft_l1", f_scale=4.0).x


def fit_head(
    head: HeadModel, landmarks: np.ndarray
) -> tuple[HeadModel, HeadParams, np.ndarray, np.ndarray]:
    """Fit pose, smile and identity to landmarks [468, 2] in pixels.

    Returns the person, the photo's params, the landmarks' neutral places [L, 3] and what is left
    for a vertex offset there [L, 3], in head space.
    """
    used = np.flatnonzero(head.landmark_faces[:468] >= 0)
    corners = head.faces[head.landmark_faces[used]]

    def at_landmarks(field: np.ndarray) -> np.ndarray:
        return np.einsum(
            "nk,...nkc->...nc", head.landmark_barycentrics[used], field[..., corners, :]
        )

    smile = [head.expression_names.index(name) for name in SMILE]
    directions = np.concatenate([head.expression_deltas[smile], head.identity_deltas])
    seen = _Landmarks(at_landmarks(head.vertices), at_landmarks(directions), landmarks[used])
    x = seen.solve()
    expression = np.zeros(len(head.expression_names), np.float32)
    expression[smile] = x[6 : 6 + len(SMILE)]
    photo = replace(
        HeadParams.neutral(0),
        expression=expression,
        rotation=x[:3].astype(np.float32),
        translation=x[3:6].astype(np.float32),
    )
    person = head.personalised(x[6 + len(SMILE) :].astype(np.float32))
    world = seen.world(x)
    depth = -world[:, 2:]
    aside = (seen.target - project(world)) * (1, -1) / FOCAL * depth
    left = np.concatenate([aside, np.zeros_like(depth)], 1) @ matrix_from_rotvec(photo.rotation)
    return person, photo, at_landmarks(person.vertices), left
