"""Landmarks of a clip to the person's head and its performance: the steps of the solve in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..api.head import HeadModel, HeadParams
from .flow import SPANS, carried_poses, refine_by_flow
from .gaze import eye_rotations
from .landmark_model import LandmarkModel, landmark_model
from .personal import calibrate_blinks, personal_expressions
from .pose import Observations, Poses, hang_head, slow_turns
from .solve import (
    SHAPE_FRAMES,
    reprojection_errors,
    solve_expression,
    solve_frames,
    solve_shape,
)
from .spread import spread_offset
from .takes import Gaze, Stretch, Take, all_looks, all_seen, stretches
from .torso import torso_turns
from .tracks import Tracks

PERSONAL_ROUNDS = 2
# The person's own expressions are learned from at most so many frames: the more agree, the further
# the expressions bend towards them.
OWN_FRAMES = 480
# Frames whose landmark passes agree so well may be keyframes.
SURE = 0.5
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Performance:
    """The tracked person: a personalised head and T frames of it, one take after the other."""

    head: HeadModel
    slide: np.ndarray  # [E, M, 3] of the landmarks over its skin, by expression
    params: HeadParams
    confidence: np.ndarray  # [T]
    errors: np.ndarray  # [T, M] pixels between landmarks and the posed head


def solve_performance(
    head: HeadModel, takes: Sequence[Take], K: np.ndarray, report: Report
) -> Performance:
    """The person in takes that share the camera matrix `K`: one identity and one expression basis
    for all of them, poses and expressions for each."""
    fixed = np.array([name.startswith("eyeLook") for name in head.expression_names])
    model = landmark_model(head)
    parts = stretches(model, takes, K)
    confidence = np.concatenate([part.confidence for part in parts])
    seen, looks = all_seen(parts), all_looks(parts)
    chosen, often = (_spread_frames(confidence, most) for most in (SHAPE_FRAMES, OWN_FRAMES))
    gaze = looks.at(chosen).gaze_of(head, K)
    person = _solve_person(head, model, seen.at(chosen), fixed, gaze, report)

    report("solving the motion", 0.0)
    poses, expression, flow = _solve_motion(person, parts, fixed, K, report)
    model = landmark_model(person)
    for _ in range(PERSONAL_ROUNDS if len(confidence) > 1 else 0):
        expression = _express(person, model, parts, poses, expression, fixed, K)
        person, slide = personal_expressions(
            person, model, poses.at(often), expression[often], seen.at(often), fixed
        )
        model = landmark_model(person, slide)
        poses = _settled(model, parts, flow, poses, expression)
    expression = _express(person, model, parts, poses, expression, fixed, K)
    person, slide, expression = calibrate_blinks(person, model.slide, expression, looks.opened)
    root = _torsos(person, parts, poses, K, lambda share: report("solving the motion", share))
    params = _params(person, parts, poses, expression, root, K)
    report("solving the motion", 1.0)
    errors = reprojection_errors(landmark_model(person, slide), poses, expression, seen)
    return Performance(person, slide, params, confidence.astype(np.float32), errors)


def _solve_motion(
    person: HeadModel, parts: Sequence[Stretch], fixed: np.ndarray, K: np.ndarray, report: Report
) -> tuple[Poses, np.ndarray, list[Tracks]]:
    """Poses and expressions [T, E] of all stretches, the poses steadied by optical flow, and each
    stretch's flow."""
    model, total = landmark_model(person), parts[-1].frames.stop
    solved: list[Poses] = []
    codes, flow = [], []
    for part in parts:
        gaze = part.looks.gaze_of(person, K)
        poses, expression = solve_frames(model, part.seen, fixed, gaze, part.fps)
        low, high = part.frames.start / total, part.frames.stop / total

        def advance(share: float, low: float = low, high: float = high) -> None:
            report("solving the motion", low + (high - low) * share)

        tracks = Tracks.none()
        if len(part.images) > max(SPANS):
            poses, tracks = refine_by_flow(
                part.images, model, poses, expression, part.seen, advance
            )
        solved.append(poses)
        codes.append(expression)
        flow.append(tracks)
    return _joined(solved), np.concatenate(codes), flow


def _settled(
    model: LandmarkModel,
    parts: Sequence[Stretch],
    flow: Sequence[Tracks],
    poses: Poses,
    expression: np.ndarray,
) -> Poses:
    """The poses of all stretches once more, for what is known of the person by now."""
    settled = []
    for part, tracks in zip(parts, flow, strict=True):
        own = poses.at(part.frames)
        if len(tracks.first):
            own = carried_poses(tracks, model, own, expression[part.frames], part.seen)
        settled.append(own)
    return _joined(settled)


def _joined(poses: Sequence[Poses]) -> Poses:
    return Poses(*map(np.concatenate, zip(*poses, strict=True)))


def _express(
    person: HeadModel,
    model: LandmarkModel,
    parts: Sequence[Stretch],
    poses: Poses,
    expression: np.ndarray,
    fixed: np.ndarray,
    K: np.ndarray,
) -> np.ndarray:
    """Expressions [T, E] of all stretches for the person so far and settled poses."""
    return np.concatenate(
        [
            solve_expression(
                model,
                poses.at(part.frames),
                expression[part.frames],
                part.seen,
                fixed,
                part.looks.gaze_of(person, K),
                part.fps,
            )
            for part in parts
        ]
    )


def _solve_person(
    head: HeadModel,
    model: LandmarkModel,
    seen: Observations,
    fixed: np.ndarray,
    look: Gaze,
    report: Report,
) -> HeadModel:
    """The head with the person's identity and a smooth offset, from some well-seen frames."""
    stage = "solving the shape"
    report(stage, 0.0)
    shape = solve_shape(model, seen, fixed, look, lambda share: report(stage, share))
    return head.personalised(shape.identity, spread_offset(head, model.index, shape.offset))


def _torsos(
    person: HeadModel,
    parts: Sequence[Stretch],
    poses: Poses,
    K: np.ndarray,
    advance: Callable[[float], None],
) -> np.ndarray:
    """Turns [T, 3] of the torso of all stretches in the world."""
    turns = []
    for part in parts:
        own = poses.at(part.frames)
        if len(part.images) <= max(SPANS):
            turns.append(slow_turns(own, part.fps))
            continue
        sure = part.confidence > SURE
        points = part.looks.points
        turns.append(torso_turns(part.images, points, sure, person, own, K, part.fps, advance))
    return np.concatenate(turns)


def _params(
    person: HeadModel,
    parts: Sequence[Stretch],
    poses: Poses,
    expression: np.ndarray,
    root: np.ndarray,
    K: np.ndarray,
) -> HeadParams:
    """Float32 params of all stretches: gaze on the joints, the head on torsos turned by `root`."""
    pivot = person.joint_positions[1].astype(float)
    angles = [part.looks.angles(person, poses.at(part.frames), K) for part in parts]
    translation, neck = hang_head(poses, root, pivot)
    return HeadParams(
        expression=expression.astype(np.float32),
        neck=neck.astype(np.float32),
        # The jaw joint is the animator's, so it stays at rest.
        jaw=np.zeros((len(expression), 3), np.float32),
        eyes=eye_rotations(np.concatenate(angles)).astype(np.float32),
        rotation=root.astype(np.float32),
        translation=translation.astype(np.float32),
    )


def _spread_frames(confidence: np.ndarray, most: int) -> np.ndarray:
    """Indices of at most so many frames that were not lost, evenly spread."""
    found = np.nonzero(confidence > 0)[0]
    count = min(len(found), most)
    return found[np.linspace(0, len(found) - 1, count).round().astype(int)]
