"""A head as somebody else's file gives it, before it becomes a `HeadModel` (complete_head.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class RawHead:
    """V vertices, F triangles. Metres, y up, z out of the face, x to the subject's left."""

    name: str
    licence: str
    vertices: np.ndarray  # [V, 3] neutral
    faces: np.ndarray  # [F, 3] counter-clockwise from outside
    regions: np.ndarray  # [F] str, names that engine.heads.builtin.REGIONS knows
    face_uvs: np.ndarray  # [F, 3, 2] without overlap, 0..1
    eye_centres: np.ndarray  # [2, 3] left, right
    anchors: dict[int, np.ndarray]  # MediaPipe landmark -> place [3]
    expressions: dict[str, np.ndarray] = field(default_factory=dict)
    """ARKit name -> displacement [V, 3] at coefficient 1, of those that the file has."""
    basis: np.ndarray | None = None  # [B, V, 3] what else the face can do; fits the other names
    identity_names: tuple[str, ...] = ()
    identity_deltas: np.ndarray | None = None  # [I, V, 3] at one standard deviation
    joints: np.ndarray | None = None  # [5, 3] order JOINTS, where the file has them
    skin_weights: np.ndarray | None = None  # [V, 5]
    joint_regressor: np.ndarray | None = None  # [5, V] displacements of joints from vertices
    neck: np.ndarray | None = None  # [3] the joint that turns the head, where joints are not given
    torso: np.ndarray | None = None  # [V] share that does not turn with it
    tongue: np.ndarray | None = None  # [n] its vertices, if it has one
    lower_teeth: np.ndarray | None = None  # [n] what is fixed to the jaw's bone

    @property
    def skin(self) -> np.ndarray:
        """Indices of the faces that a camera sees as skin of the face."""
        return np.flatnonzero(np.isin(self.regions, ("skin", "lips", "eyelids", "scalp")))
