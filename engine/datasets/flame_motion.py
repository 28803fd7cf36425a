"""A tracked FLAME person as one of our heads: ARKit sliders first, what they leave unsaid after.

The 52 ARKit expressions are fitted to the tracked motion, so that sliders and other people's
performances mean the same as everywhere. The rest of the motion is kept as a few extra expressions
named trackedNN, which make the head's vertices those of FLAME itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..api.errors import HeadError
from ..api.head import HeadModel, HeadParams
from ..api.rotations import matrix_from_rotvec, rotvec_from_matrix
from ..heads.complete_head import complete_head
from ..heads.flame import FlameFile
from ..tracking.gaze import look_coefficients
from ..tracking.pose import VIEWMAT, Poses, split_neck
from .flame_model import FlamePerson
from .flame_track import FlameTrack

# One unit of an expression costs as much as an error of 0.1 mm at a hundred vertices.
RIDGE = 100 * 0.0001**2
SWEEPS = 60
# Extra expressions whose typical share in a frame is below this are left out: metres, summed over
# all vertices as a root of squares, thus micrometres at each.
FAINTEST = 5e-5
BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")


class Motion(NamedTuple):
    """A person's head and how it moves in T frames."""

    head: HeadModel
    params: HeadParams  # [T]


def flame_motion(
    file: FlameFile,
    person: FlamePerson,
    track: FlameTrack,
    fps: float,
    advance: Callable[[float], None],
) -> Motion:
    """Head and parameters of a tracked person. Raises HeadError when FLAME and track disagree.

    `advance` is called with 0..1 and may raise Cancelled.
    """
    template = complete_head(file.raw)
    origin = file.raw.vertices[0] - template.vertices[0]
    offset = file.carried(person.neutral - file.arrays["v_template"])
    head = replace(
        template,
        vertices=template.vertices + offset,
        joint_positions=(person.joints - origin).astype(np.float32),
        identity_names=(),
        identity_deltas=np.zeros((0, len(offset), 3), np.float32),
    )
    moved = np.empty((len(track), *head.vertices.shape), np.float32)
    for t in range(len(track)):
        shaped = person.unposed(person.posed(track, t), track, t)
        moved[t] = file.carried(shaped - person.neutral)
        advance((t + 1) / len(track))
    if not np.isfinite(moved).all():
        raise HeadError("The tracked poses tear this FLAME head apart.", "Is it the right model?")
    sliders = look_coefficients(_eye_angles(track), head.expression_names)
    others = [i for i, name in enumerate(head.expression_names) if not name.startswith("eyeLook")]
    left = moved - np.tensordot(sliders, head.expression_deltas, axes=1)
    sliders[:, others] = fitted_sliders(head.expression_deltas[others], left)
    left -= np.tensordot(sliders[:, others], head.expression_deltas[others], axes=1)
    coefficients, fields = extra_expressions(left)
    if person.eyelids is None:
        for side, name in enumerate(BLINKS):
            column = sliders[:, head.expression_names.index(name)]
            np.clip(column + track.eyelids[:, side], 0, 1, out=column)
    names = tuple(f"tracked{index:02d}" for index in range(len(fields)))
    head = _with_expressions(head, names, fields)
    expression = np.concatenate([sliders, coefficients], 1).astype(np.float32)
    roots = person.roots(track) - origin
    return Motion(head, _placed(head, origin, roots, track, expression, fps))


def fitted_sliders(deltas: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Coefficients [T, E] in 0..1 of displacements [E, V, 3] that come nearest to [T, V, 3].

    Ridge least squares by projected coordinate descent.
    """
    basis = deltas.reshape(len(deltas), -1).astype(np.float64)
    gram = basis @ basis.T
    aims = moved.reshape(len(moved), -1).astype(np.float64) @ basis.T
    result = np.zeros_like(aims)
    for _ in range(SWEEPS):
        for index in range(len(basis)):
            own = gram[index, index]
            rest = aims[:, index] - result @ gram[:, index] + result[:, index] * own
            result[:, index] = np.clip(rest / (own + RIDGE), 0, 1)
    return result


def extra_expressions(left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacements [T, V, 3] as coefficients [T, m] in -1..1 times fields [m, V, 3] (SVD)."""
    flat = left.reshape(len(left), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    strength = np.sqrt(np.maximum(values / len(flat), 0))
    kept = vectors[:, strength > FAINTEST][:, ::-1]
    largest = np.abs(kept).max(0, initial=1e-12)
    fields = (kept.T @ flat) * largest[:, None]
    return kept / largest, fields.reshape(-1, *left.shape[1:]).astype(np.float32)


def _eye_angles(track: FlameTrack) -> np.ndarray:
    """Yaw and pitch [T, 2, 2] of rotation vectors that hardly roll."""
    return np.stack([track.eyes[..., 1], track.eyes[..., 0]], -1)


def _with_expressions(head: HeadModel, names: tuple[str, ...], fields: np.ndarray) -> HeadModel:
    """The head with more expressions, which its code does not see."""
    old = len(head.expression_names)
    matrix = np.insert(head.code_matrix, [old] * len(names), 0, axis=1)
    return replace(
        head,
        expression_names=head.expression_names + names,
        expression_deltas=np.concatenate([head.expression_deltas, fields]),
        code_matrix=matrix,
    )


def _placed(
    head: HeadModel,
    origin: np.ndarray,
    roots: np.ndarray,
    track: FlameTrack,
    expression: np.ndarray,
    fps: float,
) -> HeadParams:
    """The head before our camera: the world is turned so that each frame's camera is ours."""
    camera = track.viewmats[:, :3, :3]
    turn = camera @ matrix_from_rotvec(track.rotation)
    # About FLAME's root joint: R (x - J0) + J0 + t, with x and J0 = root + origin in its own space.
    place = (
        np.einsum("tab,tb->ta", camera, roots + origin + track.translation)
        - np.einsum("tab,tb->ta", turn, roots)
        + track.viewmats[:, :3, 3]
    )
    neck = track.neck
    if track.neck_is_rigid:
        joint = head.joint_positions[1].astype(float)
        rotation, translation, neck = split_neck(Poses(turn, place), joint, fps)
    else:
        rotation = rotvec_from_matrix(VIEWMAT[:3, :3].T @ turn)
        translation = place @ VIEWMAT[:3, :3]
    parts = (neck, track.jaw, track.eyes, rotation, translation)
    return HeadParams(expression, *(part.astype(np.float32) for part in parts))
