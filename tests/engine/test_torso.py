"""Tracks over a whole clip, the system they are solved by, and the torso that they turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.heads.builtin import builtin_head
from engine.imaging import gaussian_blur, warp
from engine.tracking.bundle import Normal, solved
from engine.tracking.keyframes import Keyframes, choose_keyframes, find_far_tracks
from engine.tracking.pose import project, slow_turns
from engine.tracking.torso import carried_turns, cloth_of, torso_poses
from engine.tracking.tracks import Tracks, barycentrics
from tests.engine.nodding_head import K, nodding

FRAMES, FPS = 30, 25.0


def test_coupled_frames_are_solved_as_a_dense_matrix_would_be() -> None:
    rng = np.random.default_rng(0)
    pairs = np.array([[0, 1], [1, 2], [3, 0], [4, 1]])
    blocks = rng.normal(0, 1, (4, 3, 3))
    diagonal = np.broadcast_to(20 * np.eye(3), (5, 3, 3))
    right = rng.normal(0, 1, (5, 3))
    dense = np.kron(np.eye(5), 20 * np.eye(3))
    for (a, b), block in zip(pairs, blocks, strict=True):
        dense[3 * a : 3 * a + 3, 3 * b : 3 * b + 3] += block
        dense[3 * b : 3 * b + 3, 3 * a : 3 * a + 3] += block.T
    expected = np.linalg.solve(dense, right.ravel()).reshape(5, 3)
    np.testing.assert_allclose(solved(Normal(diagonal, right, pairs, blocks)), expected, atol=1e-9)


def test_keyframes_are_unlike_each_other_and_near_to_what_is_like_them() -> None:
    likeness = np.repeat(np.arange(20.0), 5)[:, None]
    sure = np.ones(100, bool)
    sure[-5:] = False
    keys = choose_keyframes(likeness, sure)
    assert np.diff(likeness[keys.frames, 0]).min() >= 1
    assert not np.isin(keys.frames, np.arange(95, 100)).any()
    assert np.abs(likeness[keys.near[:, 0]] - likeness).max() <= 2


def test_corners_are_found_again_on_a_picture_that_was_turned_and_scaled() -> None:
    rng = np.random.default_rng(1)
    noise = rng.uniform(0, 255, (256, 256)).astype(np.float32)
    first = np.repeat(gaussian_blur(noise, 2)[..., None].astype(np.uint8), 3, -1)
    angle, scale = 0.3, 1.15
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    ahead = np.eye(3)
    ahead[:2, :2] = turn
    ahead[:2, 2] = 128 - turn @ [128, 128]
    second = warp(first, np.linalg.inv(ahead), 256)
    surface = np.array([[70.0, 70], [190, 75], [185, 180], [75, 190]])
    # The poses are three pixels off.
    pixels = np.stack([surface, surface @ turn.T + ahead[:2, 2] + [3, -2]])
    shown = {0: (np.array([[0, 1, 2], [0, 2, 3]]), np.ones((256, 256), bool))}
    keys = Keyframes(np.array([0]), np.array([[0], [0]]))
    tracks = find_far_tracks(np.stack([first, second]), keys, pixels, shown, lambda share: None)
    error = tracks.end - (tracks.start @ turn.T + ahead[:2, 2])
    assert len(error) > 10
    assert np.median(np.linalg.norm(error, axis=-1)) < 0.1


def test_the_torso_is_carried_by_its_clothes_and_not_by_the_head() -> None:
    head, poses = builtin_head(), nodding(FRAMES)
    cloth, rest = cloth_of(head), head.joint_positions[1].astype(float)
    joint = poses.apply(rest[None])[:, 0]
    time = np.linspace(0, 1, FRAMES)[:, None]
    truth = 0.06 * np.concatenate([np.sin(5 * time), np.cos(4 * time) - 1, time], -1)
    tracks = seen_on(cloth.vertices, cloth.triangles[::6], torso_poses(truth, joint, rest))
    guess = slow_turns(poses, FPS)
    start = torso_poses(guess, joint, rest)
    found = carried_turns(tracks, cloth, start, joint, rest, K, FPS)
    # The turn of all together is nobody's to know: only how it changes is seen.
    constant = (found - truth).mean(0)
    assert np.abs(guess - truth).max() > 0.1
    assert np.degrees(np.abs(found - truth - constant)).max() < 1.5


def seen_on(vertices: np.ndarray, triangles: np.ndarray, torso: object) -> Tracks:
    """The middles of triangles of three keyframes, in every frame, without error."""
    pixels = project(torso.apply(vertices), K)  # type: ignore[attr-defined]
    parts = []
    for k in (0, 12, 25):
        middle = pixels[k][triangles].mean(1)
        share = barycentrics(middle, pixels[k][triangles])[..., None]
        for t in range(FRAMES):
            carried = (vertices[triangles] * share).sum(1)
            end = project(torso.apply(carried), K)[t]  # type: ignore[attr-defined]
            count = len(middle)
            parts.append(Tracks(np.full(count, k), np.full(count, t), triangles, middle, end))
    return Tracks(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def test_a_head_without_a_torso_has_no_cloth() -> None:
    head = builtin_head()
    weights = head.skin_weights.copy()
    weights[:, 0], weights[:, 1] = 0, 1
    assert not len(cloth_of(replace(head, skin_weights=weights)).triangles)
