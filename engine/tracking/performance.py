"""Landmarks of a clip to the person's head and its performance: the steps of the solve in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..api.head import HeadModel, HeadParams
from .flow import SPANS, refine_by_flow
from .gaze import (
    eye_rotations,
    eyeballs,
    gaze_angles,
    look_coefficients,
    open_share,
    steady_gaze,
)
from .landmark_model import LandmarkModel, landmark_model
from .personal import calibrate_blinks, personal_expressions
from .pose import Observations, Poses, first_poses, split_neck
from .quality import quality_report
from .solve import (
    SHAPE_FRAMES,
    facing_weights,
    reprojection_errors,
    rigid_only,
    solve_expression,
    solve_frames,
    solve_shape,
)
from .spread import spread_offset

# Passes that disagree by this share of the face's height are not to be trusted.
DISAGREEMENT = 0.03
PERSONAL_ROUNDS = 2
FOREHEAD, CHIN = 10, 152


@dataclass(frozen=True)
class Performance:
    """The tracked person: a personalised head and T frames of it."""

    head: HeadModel
    params: HeadParams
    confidence: np.ndarray  # [T]
    quality: dict[str, Any]


def solve_performance(
    head: HeadModel,
    images: np.ndarray,
    landmarks: np.ndarray,
    disagreement: np.ndarray,
    K: np.ndarray,
    fps: float,
    report: Callable[[str, float], None],
) -> Performance:
    """The person in head crops [T, H, W, 3] with landmarks [T, 478, 3] (NaN where lost)."""
    confidence = _confidence(landmarks, disagreement)
    points = bridge_lost(landmarks)
    opened = open_share(points)
    fixed = np.array([name.startswith("eyeLook") for name in head.expression_names])

    model = landmark_model(head)
    seen = _observe(model, points, confidence, K)
    chosen = _spread_frames(confidence)
    look = _gaze_of(head, points[chosen], opened[chosen], K, fps)
    person = _solve_person(head, model, seen.at(chosen), fixed, look, report)

    model = landmark_model(person)
    report("solving the motion", 0.0)
    gaze = _gaze_of(person, points, opened, K, fps)
    poses, expression = solve_frames(model, seen, fixed, gaze, fps)
    if len(points) > max(SPANS):
        poses = refine_by_flow(
            images, model, poses, expression, seen, lambda f: report("solving the motion", f)
        )
    for _ in range(PERSONAL_ROUNDS if len(points) > 1 else 0):
        expression = solve_expression(model, poses, expression, seen, fixed, gaze, fps)
        person = personal_expressions(
            person, model, poses.at(chosen), expression[chosen], seen.at(chosen), fixed
        )
        model = landmark_model(person)
    expression = solve_expression(model, poses, expression, seen, fixed, gaze, fps)
    person, expression = calibrate_blinks(person, expression, opened)
    model = landmark_model(person)
    angles = _angles(person, poses, points, opened, K, fps)
    root, translation, neck = split_neck(poses, person.joint_positions[1].astype(float), fps)
    report("solving the motion", 1.0)
    params = _params(expression, angles, root, translation, neck)
    errors = reprojection_errors(model, poses, expression, seen)
    quality = quality_report(
        errors, images.shape[1], confidence, expression, head.expression_names, root, neck
    )
    return Performance(person, params, confidence.astype(np.float32), quality)


def _solve_person(
    head: HeadModel,
    model: LandmarkModel,
    seen: Observations,
    fixed: np.ndarray,
    look: Callable[[LandmarkModel, Poses], np.ndarray],
    report: Callable[[str, float], None],
) -> HeadModel:
    """The head with the person's identity and a smooth offset, from some well-seen frames."""
    stage = "solving the shape"
    report(stage, 0.0)
    shape = solve_shape(model, seen, fixed, look, lambda share: report(stage, share))
    return head.personalised(shape.identity, spread_offset(head, model.index, shape.offset))


def _params(
    expression: np.ndarray,
    angles: np.ndarray,
    root: np.ndarray,
    translation: np.ndarray,
    neck: np.ndarray,
) -> HeadParams:
    """Float32 params; the jaw joint is the animator's, so it stays at rest."""
    return HeadParams(
        expression=expression.astype(np.float32),
        neck=neck.astype(np.float32),
        jaw=np.zeros((len(expression), 3), np.float32),
        eyes=eye_rotations(angles).astype(np.float32),
        rotation=root.astype(np.float32),
        translation=translation.astype(np.float32),
    )


def _gaze_of(
    head: HeadModel, points: np.ndarray, opened: np.ndarray, K: np.ndarray, fps: float
) -> Callable[[LandmarkModel, Poses], np.ndarray]:
    """A function of (model, poses) that gives the eyeLook coefficients [T, E]."""

    def coefficients(_: LandmarkModel, poses: Poses) -> np.ndarray:
        angles = _angles(head, poses, points, opened, K, fps)
        return look_coefficients(angles, head.expression_names)

    return coefficients


def _angles(
    head: HeadModel,
    poses: Poses,
    points: np.ndarray,
    opened: np.ndarray,
    K: np.ndarray,
    fps: float,
) -> np.ndarray:
    balls = eyeballs(head)
    return steady_gaze(gaze_angles(balls, poses, points, K), balls, poses, opened, fps)


def _observe(
    model: LandmarkModel, points: np.ndarray, confidence: np.ndarray, K: np.ndarray
) -> Observations:
    """Observations of the model's landmarks, the far side of the face down-weighted."""
    chosen = points[:, model.index].astype(np.float64)
    weights = confidence[:, None] * model.weights
    seen = Observations(chosen[..., :2], chosen[..., 2], weights, K)
    poses = first_poses(model.neutral, rigid_only(seen, model))
    return seen._replace(weights=weights * facing_weights(model, poses))


def _confidence(landmarks: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
    """0 where lost, near 1 where the landmark passes agree."""
    found = np.isfinite(disagreement)
    tall = np.linalg.norm(landmarks[:, FOREHEAD, :2] - landmarks[:, CHIN, :2], axis=-1)
    share = np.where(found, disagreement, 0) / np.where(found, tall, 1)
    return np.where(found, 1 / (1 + (share / DISAGREEMENT) ** 2), 0.0)


def _spread_frames(confidence: np.ndarray) -> np.ndarray:
    """Indices of at most SHAPE_FRAMES frames that were not lost, evenly spread."""
    found = np.nonzero(confidence > 0)[0]
    count = min(len(found), SHAPE_FRAMES)
    return found[np.linspace(0, len(found) - 1, count).round().astype(int)]


def bridge_lost(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks [T, 478, 3] with lost frames interpolated in time, held at the ends."""
    found = np.nonzero(np.isfinite(landmarks[:, 0, 0]))[0]
    frames = np.arange(len(landmarks))
    after = np.minimum(np.searchsorted(found, frames), len(found) - 1)
    before = np.where(found[after] == frames, after, np.maximum(after - 1, 0))
    before = np.where(frames > found[-1], len(found) - 1, before)
    a, b = found[before], found[after]
    share = (np.clip(frames - a, 0, None) / np.maximum(b - a, 1)).clip(0, 1)[:, None, None]
    return landmarks[a] * (1 - share) + landmarks[b] * share
