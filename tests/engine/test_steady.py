"""The pull that takes the noise out of a head at rest and leaves a nod alone."""

from __future__ import annotations

import numpy as np
import pytest

from engine.api.rotations import matrix_from_rotvec
from engine.heads.builtin import builtin_head
from engine.tracking.bundle import Normal, solved
from engine.tracking.flow import SOFT, carried_poses
from engine.tracking.landmark_model import landmark_model
from engine.tracking.pose import Poses, project
from engine.tracking.steady import NOISE, WEIGHT, steadied
from tests.engine.nodding_head import K, nodding, observe, perfect_tracks

POINTS = np.random.default_rng(1).uniform(-0.06, 0.06, (40, 3))
TRACKED = 4e5
"""What a hundred tracks say of a turn: px^2 per radian^2."""


def still_head(frames: int, shake: float) -> Poses:
    rng = np.random.default_rng(0)
    turns = np.array([0.1, 0.2, 0.0]) + rng.normal(0, shake, (frames, 3))
    place = np.array([0.0, 0.0, 0.8]) + rng.normal(0, 0.05 * shake, (frames, 3))
    return Poses(matrix_from_rotvec(turns), place)


def tracked(frames: int) -> Normal:
    """Normal equations of tracks that are satisfied with the poses as they are."""
    scale = np.array([1, 1, 1, 400, 400, 40.0])
    diagonal = np.broadcast_to(TRACKED * np.diag(scale), (frames, 6, 6))
    none = np.zeros((0, 2), int), np.zeros((0, 6, 6))
    return Normal(diagonal, np.zeros((frames, 6)), *none)


def stepped(poses: Poses, step: np.ndarray) -> Poses:
    turned = matrix_from_rotvec(step[:, :3]) @ poses.rotation
    return Poses(turned, poses.translation + step[:, 3:])


def pixels(poses: Poses) -> np.ndarray:
    return project(poses.apply(POINTS), K)


def unrest(poses: Poses) -> float:
    seen = pixels(poses)
    return float(np.sqrt(((seen[:-2] - 2 * seen[1:-1] + seen[2:]) ** 2).sum(-1).mean()))


def test_noise_is_taken_out_of_a_head_at_rest() -> None:
    poses = still_head(30, 0.0005)
    before = unrest(poses)
    after = unrest(stepped(poses, solved(steadied(tracked(30), POINTS, poses, K))))
    assert 0.05 < before < NOISE
    assert after < 0.5 * before


def test_a_nod_is_left_alone() -> None:
    turns = np.zeros((30, 3))
    turns[12:18, 0] = np.radians([2, 6, 9, 8, 4, 1])
    poses = Poses(matrix_from_rotvec(turns), np.tile([0.0, 0.0, 0.8], (30, 1)))
    after = stepped(poses, solved(steadied(tracked(30), POINTS, poses, K)))
    moved = np.linalg.norm(pixels(after) - pixels(poses), axis=-1)
    assert np.linalg.norm(pixels(poses)[14] - pixels(poses)[11], axis=-1).mean() > 5
    assert moved.max() < 0.2


def test_corners_followed_with_noise_leave_a_head_at_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, rng = landmark_model(builtin_head()), np.random.default_rng(2)
    truth = Poses(*(np.repeat(field[:1], 20, 0) for field in nodding(20)))
    tracks = perfect_tracks(model, truth)
    tracks = tracks._replace(end=tracks.end + rng.normal(0, 0.5, tracks.end.shape))
    neutral = np.zeros((20, len(model.expression)))
    seen, shaken = observe(truth.apply(model.neutral)), []
    for weight in (WEIGHT, 0.0):
        monkeypatch.setattr("engine.tracking.steady.WEIGHT", weight)
        shaken.append(unrest(carried_poses(tracks, model, truth, neutral, seen, SOFT)))
    assert shaken[0] < 0.5 * shaken[1]


@pytest.mark.parametrize("unknown", range(6))
def test_the_pull_is_the_slope_of_the_penalty(unknown: int) -> None:
    poses = still_head(5, 0.002)
    right = steadied(tracked(5), POINTS, poses, K).right

    def penalty(change: float) -> float:
        step = np.zeros((5, 6))
        step[2, unknown] = change
        seen = pixels(stepped(poses, step))
        square = ((seen[:-2] - 2 * seen[1:-1] + seen[2:]) ** 2).sum((1, 2)) / len(POINTS)
        return float((WEIGHT / 2 * square / (1 + square / NOISE**2)).sum())

    slope = (penalty(1e-6) - penalty(-1e-6)) / 2e-6
    assert right[2, unknown] == pytest.approx(-slope, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("frames", [1, 2])
def test_fewer_than_three_frames_have_no_acceleration(frames: int) -> None:
    normal = tracked(frames)
    assert steadied(normal, POINTS, still_head(frames, 0.01), K) is normal
