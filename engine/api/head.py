"""The head model and its NumPy evaluation: a mesh, named expressions, joints, landmarks, UVs.

`HeadModel.pose` is the truth that the torch twin (engine/heads/posing.py) and Blender's evaluated
proxy mesh are tested against. It does not know where a head comes from or how it is stored.

Head space: metres, x to the subject's left, y up, z out of the face, origin between the ears.
World space is the camera's static world (OpenCV camera, see TrackedClip), where the head moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .rotations import matrix_from_rotvec

JOINTS = ("root", "neck", "jaw", "eye_left", "eye_right")
JOINT_PARENTS = (-1, 0, 1, 1, 1)

# One array library or the other: NumPy here, torch tensors in the engine.
Array = Any


@dataclass(frozen=True)
class HeadParams:
    """One pose, or T of them with a leading axis. Rotations are rotation vectors in radians.

    `rotation`/`translation` place the torso (root) in the world; `neck` turns the head on it.
    """

    expression: Array  # [..., E] coefficients of the named expressions, 0 neutral, 1 full
    neck: Array  # [..., 3]
    jaw: Array  # [..., 3]
    eyes: Array  # [..., 2, 3] left, right
    rotation: Array  # [..., 3]
    translation: Array  # [..., 3] metres

    def __getitem__(self, index: Any) -> HeadParams:
        """The params at `index` of the leading axis."""
        return HeadParams(
            self.expression[index],
            self.neck[index],
            self.jaw[index],
            self.eyes[index],
            self.rotation[index],
            self.translation[index],
        )

    def __len__(self) -> int:
        return len(self.expression)

    @staticmethod
    def neutral(expressions: int, *leading: int) -> HeadParams:
        """All zeros, float32, with the given leading shape."""

        def zeros(*shape: int) -> np.ndarray:
            return np.zeros((*leading, *shape), np.float32)

        return HeadParams(zeros(expressions), zeros(3), zeros(3), zeros(2, 3), zeros(3), zeros(3))


@dataclass(frozen=True)
class HeadModel:
    """A head with V vertices, F triangles, E expressions, I identity directions, J = 5 joints."""

    name: str
    licence: str
    vertices: np.ndarray  # [V, 3] neutral, metres
    faces: np.ndarray  # [F, 3] int32, counter-clockwise seen from outside
    face_uvs: np.ndarray  # [F, 3, 2] per corner, 0..1, v up, islands do not overlap
    expression_names: tuple[str, ...]  # E, ARKit camel case where the meaning is ARKit's
    expression_deltas: np.ndarray  # [E, V, 3] metres at coefficient 1
    joint_positions: np.ndarray  # [J, 3] in neutral pose, order JOINTS
    skin_weights: np.ndarray  # [V, J], rows sum to 1
    code_matrix: np.ndarray  # [C, E + 12]: code = M @ (expression, jaw, eye left, eye right, neck)
    code_names: tuple[str, ...]  # C
    landmark_faces: np.ndarray  # [478] int32 MediaPipe landmarks on the mesh, -1 where none
    landmark_barycentrics: np.ndarray  # [478, 3]
    region_names: tuple[str, ...]  # e.g. skin, lips, eyelids, mouth, teeth, eyeballs, scalp
    face_regions: np.ndarray  # [F] uint8 index into region_names
    mirror_vertices: np.ndarray  # [V] int32: index of the mirror-image vertex
    identity_names: tuple[str, ...] = ()
    identity_deltas: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    # [J, V]
    joint_regressor: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def code(self, params: HeadParams) -> np.ndarray:
        """Code [..., C] that drives the reduced blendshapes; not where the person stands."""
        leading = np.shape(params.expression)[:-1]
        driver = np.concatenate(
            [params.expression, params.jaw, np.reshape(params.eyes, (*leading, 6)), params.neck],
            axis=-1,
        )
        return driver @ self.code_matrix.T

    def pose(self, params: HeadParams) -> np.ndarray:
        """Posed vertices [..., V, 3] in the world: linear shapes, then linear blend skinning."""
        shaped = self.vertices + np.tensordot(params.expression, self.expression_deltas, axes=1)
        return skin(shaped, self.joint_positions, self.skin_weights, params)

    def personalised(self, identity: np.ndarray, offset: np.ndarray | None = None) -> HeadModel:
        """This head with identity coefficients [I] and a vertex offset [V, 3] built in for good."""
        delta = np.tensordot(np.asarray(identity, np.float32), self.identity_deltas, axes=1)
        if offset is not None:
            delta = delta + offset
        joints = self.joint_positions + self.joint_regressor @ delta
        return replace(
            self,
            vertices=(self.vertices + delta).astype(np.float32),
            joint_positions=joints.astype(np.float32),
            identity_names=(),
            identity_deltas=np.zeros((0, len(self.vertices), 3), np.float32),
        )


def skin(
    shaped: np.ndarray, joints: np.ndarray, weights: np.ndarray, params: HeadParams
) -> np.ndarray:
    """Linear blend skinning of `shaped` [..., V, 3] about `joints` [J, 3], then the root."""
    neck = matrix_from_rotvec(params.neck)
    local = [
        np.broadcast_to(np.eye(3, dtype=np.float32), neck.shape),
        neck,
        neck @ matrix_from_rotvec(params.jaw),
        neck @ matrix_from_rotvec(params.eyes[..., 0, :]),
        neck @ matrix_from_rotvec(params.eyes[..., 1, :]),
    ]
    # A joint's child sits where the neck carries its rest position.
    carried = [joints[0], joints[1]] + [
        (neck @ (joints[j] - joints[1])) + joints[1] for j in range(2, len(JOINTS))
    ]
    posed = np.zeros_like(shaped)
    for j, rotation in enumerate(local):
        turned = (shaped - joints[j]) @ np.swapaxes(rotation, -1, -2)
        posed = posed + weights[:, j, None] * (turned + np.expand_dims(carried[j], -2))
    root = matrix_from_rotvec(params.rotation)
    return posed @ np.swapaxes(root, -1, -2) + np.expand_dims(params.translation, -2)
