"""FLAME as its authors evaluate it, frame by frame: what a tracked data set means, exactly.

Joints move with shape and expression, pose correctives follow every joint (Li et al. 2017).
Our own heads have neither, so a person's tracked motion is stored as what ours needs to match.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..api.errors import TrackingError
from ..api.head import JOINT_PARENTS, JOINTS
from ..api.rotations import matrix_from_rotvec
from .flame_track import SHAPES, FlameTrack

EYELIDS = ("l_eyelid.npy", "r_eyelid.npy")
"""metrical-tracker's own eyelid shapes, used where they lie beside the model."""


@dataclass(frozen=True)
class FlamePerson:
    """FLAME with one person's shape built in. Metres, FLAME's space."""

    neutral: np.ndarray  # [5023, 3]
    expressions: np.ndarray  # [5023, 3, 100]
    correctives: np.ndarray  # [5023, 3, 36]
    regressor: np.ndarray  # [5, 5023]
    weights: np.ndarray  # [5023, 5]
    eyelids: np.ndarray | None = None  # [2, 5023, 3] left, right, shut

    @property
    def joints(self) -> np.ndarray:
        """Joints [5, 3] of the neutral face."""
        return self.regressor @ self.neutral

    def shaped(self, track: FlameTrack, index: int) -> np.ndarray:
        """Vertices [5023, 3] of a frame before its joints turn, correctives left out."""
        return self.neutral + self.expressions @ track.expression[index]

    def roots(self, track: FlameTrack) -> np.ndarray:
        """The root joint [T, 3], about which the head as a whole is turned, in each frame."""
        moves = np.einsum("v,vce->ce", self.regressor[0], self.expressions)
        return self.joints[0] + track.expression @ moves.T

    def posed(self, track: FlameTrack, index: int) -> np.ndarray:
        """Vertices [5023, 3] of a frame, the root at rest."""
        shaped = self.shaped(track, index)
        turns = local_turns(track, index)
        joints = self.regressor @ shaped
        corrected = shaped + self.correctives @ (turns[1:] - np.eye(3)).reshape(-1)
        posed = blended(corrected, joints, self.weights, turns)
        if self.eyelids is not None:
            posed = posed + np.tensordot(track.eyelids[index], self.eyelids, axes=1)
        return posed

    def unposed(self, posed: np.ndarray, track: FlameTrack, index: int) -> np.ndarray:
        """Vertices [5023, 3] that skinning about the *neutral* joints takes to `posed`."""
        turns = local_turns(track, index)
        weights = self.weights / self.weights.sum(1, keepdims=True)
        rotations, shifts = chain(self.joints, turns)
        matrix = np.einsum("vj,jab->vab", weights, rotations)
        offset = weights @ shifts
        return np.linalg.solve(matrix, (posed - offset)[..., None])[..., 0]


def local_turns(track: FlameTrack, index: int) -> np.ndarray:
    """Rotations [5, 3, 3] of the joints against their parents, the root at rest."""
    left, right = track.eyes[index]
    rest = np.zeros(3)
    return matrix_from_rotvec(np.stack([rest, track.neck[index], track.jaw[index], left, right]))


def chain(joints: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each joint the rotation [5, 3, 3] and shift [5, 3] of what hangs on it: x -> R x + s."""
    rotations, shifts = [turns[0]], [joints[0] - turns[0] @ joints[0]]
    for joint in range(1, len(JOINTS)):
        parent = JOINT_PARENTS[joint]
        turned = rotations[parent] @ turns[joint]
        place = rotations[parent] @ joints[joint] + shifts[parent]
        rotations.append(turned)
        shifts.append(place - turned @ joints[joint])
    return np.stack(rotations), np.stack(shifts)


def blended(
    vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, turns: np.ndarray
) -> np.ndarray:
    """Linear blend skinning of vertices [V, 3]."""
    rotations, shifts = chain(joints, turns)
    moved = np.einsum("jab,vb->vja", rotations, vertices) + shifts
    return np.einsum("vj,vja->va", weights, moved)


def flame_person(arrays: dict[str, np.ndarray], track: FlameTrack, model: Path) -> FlamePerson:
    """The tracked person in the FLAME file `model` with these `arrays`. Raises TrackingError."""
    shapes = arrays["shapedirs"]
    neutral = arrays["v_template"] + shapes[..., :SHAPES] @ track.shape
    if track.offset is not None:
        neutral = neutral + track.offset
    return FlamePerson(
        neutral,
        shapes[..., SHAPES:],
        arrays["posedirs"],
        arrays["J_regressor"],
        arrays["weights"],
        _eyelids(model.parent),
    )


def _eyelids(folder: Path) -> np.ndarray | None:
    paths = [folder / name for name in EYELIDS]
    if not all(path.is_file() for path in paths):
        return None
    try:
        shapes = np.stack([np.load(path, allow_pickle=False) for path in paths]).astype(float)
    except (OSError, ValueError, EOFError) as error:
        raise TrackingError(f"{EYELIDS[0]} is damaged ({error}).", "Remove it.") from error
    shapes = shapes.reshape(2, -1, 3)
    if shapes.shape[1] != 5023 or not np.isfinite(shapes).all() or np.abs(shapes).max() > 0.1:
        raise TrackingError(f"{EYELIDS[0]} holds no eyelids of FLAME.", "Remove it.")
    return shapes
