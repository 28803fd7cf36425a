"""Gaze: what iris landmarks say of it, and which constant part of that is taken for an error."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.builtin import builtin_head
from engine.tracking.gaze import (
    DULLED,
    Eyeballs,
    eyeballs,
    gaze_angles,
    gaze_bias,
    steady_gaze,
    towards_camera,
)
from engine.tracking.pose import Poses, project
from tests.engine.nodding_head import K, nodding

FRAMES = 40
OPEN = np.ones((FRAMES, 2))


@pytest.fixture(scope="module")
def balls() -> Eyeballs:
    return eyeballs(builtin_head())


@pytest.fixture(scope="module")
def poses() -> Poses:
    return nodding(FRAMES)


def irises(balls: Eyeballs, poses: Poses, yaw: np.ndarray) -> np.ndarray:
    """Landmarks [T, 478, 3] of eyes turned by `yaw` [T], as dull as the landmarker's."""
    seen = yaw * DULLED[0]
    direction = np.stack([np.sin(seen), np.zeros(FRAMES), np.cos(seen)], -1)
    landmarks = np.zeros((FRAMES, 478, 3))
    for side, iris in enumerate((473, 468)):
        centre = balls.centres[side] + direction * balls.radii[side]
        landmarks[:, iris, :2] = project(poses.apply(centre[:, None]), K)[:, 0]
    return landmarks


def test_gaze_is_recovered_from_dull_irises(balls: Eyeballs, poses: Poses) -> None:
    yaw = 0.3 * np.sin(np.linspace(0, 20, FRAMES))
    angles = gaze_angles(balls, poses, irises(balls, poses, yaw), K)
    np.testing.assert_allclose(angles[..., 0], np.stack([yaw, yaw], -1), atol=1e-6)


def test_eyes_that_diverge_are_an_error_and_made_parallel(balls: Eyeballs, poses: Poses) -> None:
    angles = towards_camera(balls, poses)
    apart = angles + np.array([[0.15, 0.0], [-0.15, 0.0]])
    np.testing.assert_allclose(
        steady_gaze(apart, balls, poses, OPEN, 25.0),
        steady_gaze(angles, balls, poses, OPEN, 25.0),
        atol=1e-6,
    )


def test_who_looks_steadily_looks_at_the_camera(balls: Eyeballs, poses: Poses) -> None:
    off = np.radians([2.0, -14.0])
    bias = gaze_bias(towards_camera(balls, poses) + off, balls, poses, OPEN)
    np.testing.assert_allclose(bias, [off, off], atol=1e-6)


def test_wandering_eyes_keep_their_usual_direction(balls: Eyeballs, poses: Poses) -> None:
    wander = np.radians(15) * np.sin(np.arange(FRAMES) * 2.4)[:, None, None]
    off = np.radians([8.0, 0.0])
    bias = gaze_bias(towards_camera(balls, poses) + wander + off, balls, poses, OPEN)
    assert np.abs(bias).max() < np.radians(1.5)
