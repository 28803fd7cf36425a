"""A person followed frame by frame: what is known of them so far, and the solve of the next frame.

Causal: nothing of a frame depends on a later one. There is no flow bundle and no second landmark
pass, which need the future; the previous frame stands in for the neighbours on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..api.head import HeadModel, HeadParams
from .expression import ExpressionPrior, normal_equations
from .gaze import (
    CLOSED,
    LIMIT,
    Eyeballs,
    eye_rotations,
    eyeballs,
    gaze_angles,
    gaze_bias,
    look_coefficients,
    opening,
    usual_opening,
)
from .landmark_model import LandmarkModel, landmark_model
from .performance import solve_performance
from .pose import (
    TORSO_SECONDS,
    TORSO_SHARE,
    Observations,
    Poses,
    first_poses,
    hang_head,
    world_turns,
)
from .solve import facing_weights, reprojection_errors, rigid_only, solve_poses
from .takes import CHIN, FOREHEAD, Take

SHAPE_FRAMES = 80
"""The shape is learned from at most so many frames: more cost seconds a stream does not have."""
CONTINUOUS = 0.25
"""Seconds over which one frame tells of the next."""
LOOSE = 0.03
"""A head that misses its landmarks by this share of the face's height is hardly tracked."""
ROUNDS = 2
STILL = np.zeros((2, 2))


@dataclass(frozen=True)
class Person:
    """What the stream has told of the person so far."""

    head: HeadModel
    model: LandmarkModel
    balls: Eyeballs
    fixed: np.ndarray  # [E] bool, expressions that follow the gaze
    usual_opening: np.ndarray  # [2] of the eyes, height over width
    gaze_bias: np.ndarray  # [2, 2] radians


def learn_person(head: HeadModel, points: np.ndarray, times: np.ndarray, K: np.ndarray) -> Person:
    """The person whose landmarks `points` [T, 478, 3] are, at `times` [T] seconds; `head` is any's.

    Raises TrackingError where the landmarks cannot be solved.
    """
    count = min(len(points), SHAPE_FRAMES)
    chosen = np.linspace(0, len(points) - 1, count).round().astype(int)
    points, seconds = points[chosen], float(times[chosen[-1]] - times[chosen[0]])
    no_images = np.zeros((0, 1, 1, 3), np.uint8)  # without them there is no flow
    fps = (count - 1) / max(seconds, 1e-3)
    take = Take(no_images, points, np.zeros(count), fps)
    solved = solve_performance(head, [take], K, lambda stage, fraction: None)
    person = solved.head
    model, balls = landmark_model(person, solved.slide), eyeballs(person)
    seen = _observe(model, points, K)
    poses = first_poses(model.neutral, rigid_only(seen, model))
    poses = solve_poses(model, poses, solved.params.expression, seen)
    usual = usual_opening(opening(points))
    angles = gaze_angles(balls, poses, points, K)
    bias = gaze_bias(angles, balls, poses, opening(points) / usual)
    fixed = np.array([name.startswith("eyeLook") for name in person.expression_names])
    return Person(person, model, balls, fixed, usual, bias)


@dataclass(frozen=True)
class Moment:
    """One frame as solved."""

    time: float  # seconds
    pose: Poses  # T = 1
    expression: np.ndarray  # [1, E]
    angles: np.ndarray  # [1, 2, 2] of the eyes, yaw and pitch
    root: np.ndarray  # [1, 3] the torso's turn in the world


def follow(
    person: Person, points: np.ndarray, time: float, K: np.ndarray, before: Moment | None
) -> tuple[Moment, HeadParams, float]:
    """One frame's landmarks [478, 3] to its pose and expression, and how sure they are, 0..1.

    `before` is the frame before it, if that is near in time.
    """
    near = before if before and 0 < time - before.time < CONTINUOUS else None
    model, points = person.model, points[None]
    seen = _observe(model, points, K)
    pose = near.pose if near else first_poses(model.neutral, rigid_only(seen, model))
    expression = near.expression if near else np.zeros((1, len(model.expression)), np.float32)
    for _ in range(ROUNDS):
        pose = solve_poses(model, pose, expression, seen)
        angles = _angles(person, pose, points, K, near)
        looks = look_coefficients(angles, person.head.expression_names)
        expression = np.where(person.fixed, looks, expression)
        expression = _express(person, pose, expression, seen, near, time)
    root = _torso(pose, time, before)
    moment = Moment(time, pose, expression, angles, root)
    tall = np.linalg.norm(points[0, FOREHEAD, :2] - points[0, CHIN, :2])
    missed = reprojection_errors(model, pose, expression, seen).mean() / max(float(tall), 1e-6)
    return moment, _params(person, moment), float(1 / (1 + (missed / LOOSE) ** 2))


def _observe(model: LandmarkModel, points: np.ndarray, K: np.ndarray) -> Observations:
    """Observations of landmarks [T, 478, 3], the far side of the face down-weighted."""
    chosen = points[:, model.index].astype(np.float64)
    weights = np.broadcast_to(model.weights, chosen.shape[:2])
    seen = Observations(chosen[..., :2], chosen[..., 2], weights, K)
    poses = first_poses(model.neutral, rigid_only(seen, model))
    return seen._replace(weights=weights * facing_weights(model, poses))


def _angles(
    person: Person, pose: Poses, points: np.ndarray, K: np.ndarray, near: Moment | None
) -> np.ndarray:
    """Yaw and pitch [1, 2, 2]; a closed eye keeps what it had."""
    angles = gaze_angles(person.balls, pose, points, K) - person.gaze_bias
    open_eyes = opening(points)[0] > CLOSED * person.usual_opening
    held = near.angles[0] if near else STILL
    angles[0] = np.where(open_eyes[:, None], angles[0], held)
    angles[..., 1] = angles[..., 1].mean(-1, keepdims=True)
    return np.clip(angles, -LIMIT, LIMIT)


def _express(
    person: Person,
    pose: Poses,
    current: np.ndarray,
    seen: Observations,
    near: Moment | None,
    time: float,
) -> np.ndarray:
    """Expression [1, E] for a settled pose, held to that of the frame before (expression.py)."""
    prior = ExpressionPrior()
    hessian, gradient = normal_equations(person.model, pose, current, seen)
    H, g, start = hessian[0].astype(float), gradient[0] - prior.sparse, current[0].astype(float)
    H[np.diag_indices_from(H)] += prior.ridge
    if near:
        steady = prior.steady / (25 * (time - near.time)) ** 2
        H[np.diag_indices_from(H)] += steady
        g = g + steady * near.expression[0]
    free = ~person.fixed
    start[free] = bounded_minimum(
        H[np.ix_(free, free)], g[free] - H[np.ix_(free, ~free)] @ start[~free], start[free]
    )
    return start[None].astype(np.float32)


def bounded_minimum(H: np.ndarray, g: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The c in 0..1 with the least c'Hc/2 - g'c, H positive definite: projected Newton steps
    (Bertsekas 1982), halved until they gain. A hundred times quicker for one frame than sweeps."""
    c = np.clip(start, 0, 1)
    for _ in range(30):
        slope = H @ c - g
        free = ~(((c <= 0) & (slope > 0)) | ((c >= 1) & (slope < 0)))
        step = np.zeros_like(c)
        step[free] = -np.linalg.solve(H[np.ix_(free, free)], slope[free])
        cost = c @ H @ c / 2 - g @ c
        for halving in range(8):
            trial = np.clip(c + step / 2**halving, 0, 1)
            if trial @ H @ trial / 2 - g @ trial <= cost:
                break
        moved = np.abs(trial - c).max()
        c = trial
        if moved < 1e-4:
            break
    return c


def _torso(pose: Poses, time: float, before: Moment | None) -> np.ndarray:
    """The torso's turn [1, 3]: a share of the head's, following it slowly."""
    wanted = TORSO_SHARE * world_turns(pose)
    if before is None:
        return wanted
    follows = 1 - np.exp(-max(time - before.time, 0.0) / TORSO_SECONDS)
    return before.root + follows * (wanted - before.root)


def _params(person: Person, moment: Moment) -> HeadParams:
    """Params without leading axis; the jaw joint is the animator's."""
    pivot = person.head.joint_positions[1].astype(float)
    translation, neck = hang_head(moment.pose, moment.root, pivot)
    return HeadParams(
        expression=moment.expression[0].astype(np.float32),
        neck=neck[0].astype(np.float32),
        jaw=np.zeros(3, np.float32),
        eyes=eye_rotations(moment.angles)[0].astype(np.float32),
        rotation=moment.root[0].astype(np.float32),
        translation=translation[0].astype(np.float32),
    )
