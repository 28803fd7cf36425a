"""One person's shape, and each frame's pose and expression, from landmarks over a whole clip.

Alternates closed-form steps: poses, expressions, then identity and a landmark offset from the
frames in which each landmark is at rest, so that zero coefficients are this person's neutral face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..heads.landmarks import LIPS_FRONT, LIPS_INNER, LIPS_MIDDLE, LIPS_OUTER
from .expression import ExpressionPrior, normal_equations, solve_expressions
from .landmark_model import FACE_LANDMARKS, LandmarkModel
from .pose import Observations, Poses, equations, first_poses, project, refine_poses, robust

# The shape is learned from at most this many frames, spread over the clip.
SHAPE_FRAMES = 160
ROUNDS = 6
# Ridge of the identity coefficients, in px^2 summed over the shape frames, per frame.
IDENTITY_PRIOR = 40.0
# Offset: a landmark's own 3D correction, ridge in px^2 per frame at one centimetre.
OFFSET_PRIOR = 0.05 / 0.01**2
# A landmark counts as at rest while expressions move it by less than this.
REST_METRES = 0.0025
LIP_RINGS = (LIPS_INNER, LIPS_MIDDLE, LIPS_FRONT, LIPS_OUTER)  # from the rim outwards


@dataclass(frozen=True)
class Solution:
    """What the landmarks of T frames say."""

    identity: np.ndarray  # [I]
    offset: np.ndarray  # [M, 3] metres, beside the identity
    poses: Poses
    expression: np.ndarray  # [T, E]


def solve_shape(
    model: LandmarkModel,
    seen: Observations,
    fixed: np.ndarray,
    gaze: Callable[[LandmarkModel, Poses], np.ndarray],
    advance: Callable[[float], None],
) -> Solution:
    """Identity, offset, poses and expressions of the frames `seen`.

    `fixed` [E] marks coefficients that `gaze` supplies (eyeLook*): gaze(model, poses) -> [T, E].
    """
    identity = np.zeros(len(model.identity))
    offset = np.zeros_like(model.neutral)
    expression = np.zeros((len(seen.pixels), len(model.expression)), np.float32)
    base = model.neutral
    poses = first_poses(base, rigid_only(seen, model))
    prior = ExpressionPrior(steady=0.0)  # the shape frames are not neighbours
    for round_number in range(ROUNDS):
        poses = solve_poses(model, poses, expression, seen)
        if round_number:
            expression[:, fixed] = gaze(model, poses)[:, fixed]
            normal = normal_equations(model, poses, expression, seen)
            expression = solve_expressions(*normal, expression, fixed, 25.0, prior)
            poses = solve_poses(model, poses, expression, seen)
        gram, pull = _rest_equations(model, poses, expression, seen)
        identity = _solve_identity(model, base + offset, identity, gram, pull, len(seen.pixels))
        with_identity = base + np.tensordot(identity, model.identity, axes=1)
        if round_number >= 2:
            offset = _solve_offset(with_identity, gram, pull, model.rigidity, len(seen.pixels))
            offset = close_lips(model.index, with_identity, offset)
        model = model.with_neutral(with_identity + offset)
        advance((round_number + 1) / ROUNDS)
    return Solution(identity, offset, poses, expression)


def solve_frames(
    model: LandmarkModel,
    seen: Observations,
    fixed: np.ndarray,
    gaze: Callable[[LandmarkModel, Poses], np.ndarray],
    fps: float,
) -> tuple[Poses, np.ndarray]:
    """Poses and expressions [T, E] of consecutive frames for a settled shape."""
    expression = np.zeros((len(seen.pixels), len(model.expression)), np.float32)
    poses = first_poses(model.neutral, rigid_only(seen, model))
    for _ in range(3):
        poses = solve_poses(model, poses, expression, seen)
        expression = solve_expression(model, poses, expression, seen, fixed, gaze, fps)
    return poses, expression


def solve_expression(
    model: LandmarkModel,
    poses: Poses,
    expression: np.ndarray,
    seen: Observations,
    fixed: np.ndarray,
    gaze: Callable[[LandmarkModel, Poses], np.ndarray],
    fps: float,
) -> np.ndarray:
    """Expressions [T, E] of consecutive frames for settled poses, started at `expression`."""
    start = expression.copy()
    start[:, fixed] = gaze(model, poses)[:, fixed]
    normal = normal_equations(model, poses, start, seen)
    return solve_expressions(*normal, start, fixed, fps, ExpressionPrior())


def solve_poses(
    model: LandmarkModel, poses: Poses, expression: np.ndarray, seen: Observations
) -> Poses:
    """Poses for given expressions, anchored on the rigid landmarks and on those that face us."""
    return refine_poses(model.shaped(expression), poses, rigid_only(seen, model))


def rigid_only(seen: Observations, model: LandmarkModel) -> Observations:
    """The observations weighted by rigidity, never to nothing: a blind frame keeps a pose."""
    weights = seen.weights * np.maximum(model.rigidity, 0.01)
    return seen._replace(weights=np.maximum(weights, 1e-6))


def facing_weights(model: LandmarkModel, poses: Poses) -> np.ndarray:
    """[T, M] 1 for landmarks that face the camera, 0.1 for those on the far side."""
    normals = model.normals @ np.swapaxes(poses.rotation, -1, -2)
    rays = poses.apply(model.neutral)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    return np.clip(0.25 - 1.5 * (normals * rays).sum(-1), 0.1, 1)


def reprojection_errors(
    model: LandmarkModel, poses: Poses, expression: np.ndarray, seen: Observations
) -> np.ndarray:
    """Distances [T, M] in pixels between landmarks and the posed model."""
    pixels = project(poses.apply(model.shaped(expression)), seen.K)
    return np.linalg.norm(pixels - seen.pixels, axis=-1)


def _rest_equations(
    model: LandmarkModel, poses: Poses, expression: np.ndarray, seen: Observations
) -> tuple[np.ndarray, np.ndarray]:
    """Per landmark A [M, 3, 3] and b [M, 3]: A x = b is its neutral position, seen at rest."""
    moved = np.tensordot(expression, model.expression, axes=1)
    points = poses.apply(model.neutral + moved)
    rows, right = equations(points, seen)
    residual = right - np.einsum("tmij,tmj->tmi", rows, points)
    rest = 1 / (1 + ((moved / REST_METRES) ** 2).sum(-1)) ** 2 + 0.02
    weights = seen.weights * rest * robust(residual)
    # Each landmark's weights add up to the number of frames: rest is about which, not how many.
    weights *= len(weights) / np.maximum(weights.sum(0), 1e-6)
    turned = rows @ poses.rotation[:, None]
    there = np.einsum("tmij,tmj->tmi", turned, model.neutral[None]) + residual
    gram = np.einsum("tm,tmki,tmkj->mij", weights, turned, turned, optimize=True)
    pull = np.einsum("tm,tmki,tmk->mi", weights, turned, there, optimize=True)
    return gram * model.weights[:, None, None], pull * model.weights[:, None]


def _solve_identity(
    model: LandmarkModel,
    neutral: np.ndarray,
    identity: np.ndarray,
    gram: np.ndarray,
    pull: np.ndarray,
    frames: int,
) -> np.ndarray:
    """Ridge solution of the identity for landmarks whose neutral (without identity) is given."""
    if not len(identity):
        return identity
    basis = model.identity  # [I, M, 3]
    weighted = np.einsum("mij,amj->ami", gram, basis)
    normal = np.einsum("ami,bmi->ab", weighted, basis)
    right = np.einsum("ami,mi->a", basis, pull - np.einsum("mij,mj->mi", gram, neutral))
    ridge = IDENTITY_PRIOR * frames * np.eye(len(identity))
    return np.clip(np.linalg.solve(normal + ridge, right), -3, 3)


def _solve_offset(
    neutral: np.ndarray, gram: np.ndarray, pull: np.ndarray, rigidity: np.ndarray, frames: int
) -> np.ndarray:
    """Ridge offset [M, 3] of each landmark, without what a rigid motion or a scale explains."""
    ridge = OFFSET_PRIOR * frames * np.eye(3)
    right = pull - np.einsum("mij,mj->mi", gram, neutral)
    offset = np.linalg.solve(gram + ridge, right[..., None])[..., 0]
    centred = neutral - neutral.mean(0)
    columns = [np.broadcast_to(axis, neutral.shape) for axis in np.eye(3)]
    columns += [np.cross(axis, centred) for axis in np.eye(3)] + [centred]
    motions = np.stack(columns, -1)  # [M, 3, 7]
    normal = np.einsum("m,mck,mcl->kl", rigidity, motions, motions)
    fitted = np.linalg.solve(normal, np.einsum("m,mck,mc->k", rigidity, motions, offset))
    return offset - motions @ fitted


def close_lips(index: np.ndarray, neutral: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The offset [M, 3] with the lips of a neutral [M, 3] as closed as they are without it.

    Someone who talks all the time is rarely seen with closed lips, yet zero coefficients must close
    them. The inner rims meet halfway; the rings around them follow by less and less.
    """
    place = np.full(FACE_LANDMARKS, -1)  # -1: the head has no such landmark
    place[index] = np.arange(len(index))
    offset = offset.copy()
    inner = place[np.array(LIPS_INNER)]
    upper, lower = slice(1, 10), slice(19, 10, -1)  # facing pairs between the corners
    parted = (offset[inner[upper]] - offset[inner[lower]])[:, 1]
    parted = np.where((inner[upper] >= 0) & (inner[lower] >= 0), parted, 0.0)
    for ring, share in zip(LIP_RINGS, (1.0, 0.8, 0.55, 0.25), strict=True):
        points = place[np.array(ring)]
        for side, sign in ((points[upper], -1.0), (points[lower], 1.0)):
            there = side >= 0
            offset[side[there], 1] += sign * share * parted[there] / 2
    return offset
