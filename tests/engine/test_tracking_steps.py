"""Each step of tracking against closed forms: crop, pose, neck, expression, flow, offset."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from engine.api.errors import TrackingError
from engine.api.head import HeadParams
from engine.api.rotations import matrix_from_rotvec
from engine.heads.builtin import builtin_head
from engine.heads.landmarks import LIPS_INNER
from engine.tracking.crop import HeadCrop, head_square
from engine.tracking.expression import ExpressionPrior, solve_expressions
from engine.tracking.flow import SOFT, carried_poses
from engine.tracking.landmark_model import landmark_model
from engine.tracking.pose import (
    VIEWMAT,
    Poses,
    first_poses,
    project,
    refine_poses,
    split_neck,
)
from engine.tracking.solve import close_lips
from engine.tracking.spread import spread_offset
from engine.tracking.takes import bridge_lost
from engine.tracking.tracks import barycentrics, carry_tracks, track_jacobians
from engine.tracking.views import TurnedCrop, one_view
from tests.engine.nodding_head import K, nodding, observe, perfect_tracks


def test_the_square_holds_every_head_box_and_stays_in_the_frame() -> None:
    boxes = np.array([[300, 100, 700, 560], [340, 90, 740, 550], [np.nan] * 4], float)
    crop = head_square(boxes, 1080, 1920)
    assert crop.left <= 301
    assert crop.left + crop.side >= 739
    assert crop.top >= 0
    wide = head_square(np.array([[-50, 0, 430, 470.0]]), 640, 480)
    assert wide.left >= 0
    assert wide.left + wide.side <= 640


def test_too_few_faces_are_an_error() -> None:
    with pytest.raises(TrackingError, match="No face was found in 10 of 10 frames"):
        head_square(np.full((10, 4), np.nan), 640, 480)


def test_a_crop_sees_a_point_where_the_frame_does() -> None:
    crop = HeadCrop(left=136, top=82, side=820, frame_width=1080, frame_height=1920)
    point = np.array([0.05, -0.1, 0.8])
    whole = HeadCrop(0, 0, 1920, 1080, 1920).intrinsics(1.3, 1920)
    in_frame = project(point, whole)
    in_crop = project(point, crop.intrinsics(1.3, 512))
    np.testing.assert_allclose(in_crop * 820 / 512 + (136, 82), in_frame)


def test_two_framings_share_one_camera_matrix_and_see_a_point_where_each_frame_does() -> None:
    crops = [HeadCrop(136, 82, 820, 1080, 1920), HeadCrop(700, 10, 500, 1280, 720)]
    views, view = one_view(crops, 1.3, 512)
    assert one_view(crops[:1], 1.3, 512)[0][0] is crops[0]
    for crop, turned in zip(crops, views, strict=True):
        assert isinstance(turned, TurnedCrop)
        length = 1.3 * max(crop.frame_width, crop.frame_height)
        camera = np.array(
            [[length, 0, crop.frame_width / 2], [0, length, crop.frame_height / 2], [0, 0, 1]]
        )
        to_frame = turned.frame_from_view @ view  # from a ray before the view to a frame's pixel
        turn = np.linalg.inv(camera) @ to_frame
        turn /= np.cbrt(np.linalg.det(turn))
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)  # a turn and nothing else
        middle = to_frame @ [0, 0, 1]
        np.testing.assert_allclose(
            middle[:2] / middle[2], [crop.left + crop.side / 2, crop.top + crop.side / 2]
        )
    # The widest head fills its view; the other keeps its true angle.
    assert view[0, 0] == pytest.approx(512 / max(820 / (1.3 * 1920), 500 / (1.3 * 1280)))


def test_a_turned_view_shows_the_frame_where_its_homography_says() -> None:
    y, x = np.mgrid[0:720, 0:1280] + 0.5
    frame = np.stack([x / 5, y / 5, 0 * x], -1).astype(np.float32)
    (view, _), _ = one_view([HeadCrop(700, 90, 500, 1280, 720)] * 2, 1.3, 128)
    seen = view.image(frame, 128)
    centres = np.stack(np.meshgrid(*[np.arange(128) + 0.5] * 2), -1)
    assert isinstance(view, TurnedCrop)
    there = np.concatenate([centres, np.ones((128, 128, 1))], -1) @ view.frame_from_view.T
    expected = there[..., :2] / there[..., 2:] / 5
    inside = view.inside(128)
    assert 0.9 < inside.mean() <= 1
    np.testing.assert_allclose(seen[..., :2][inside], expected[inside], atol=0.3)


def test_poses_are_recovered_exactly_from_perfect_landmarks() -> None:
    model = landmark_model(builtin_head())
    truth = nodding(24)
    seen = observe(truth.apply(model.neutral))
    poses = refine_poses(
        np.broadcast_to(model.neutral, (24, *model.neutral.shape)),
        first_poses(model.neutral, seen),
        seen,
        rounds=8,
    )
    np.testing.assert_allclose(poses.rotation, truth.rotation, atol=1e-4)
    np.testing.assert_allclose(poses.translation, truth.translation, atol=1e-4)


def test_torso_and_neck_compose_to_the_head_exactly() -> None:
    head, truth = builtin_head(), nodding(60)
    root, translation, neck = split_neck(truth, head.joint_positions[1].astype(float), 25.0)
    neutral = HeadParams.neutral(len(head.expression_names), 60)
    params = HeadParams(neutral.expression, neck, neutral.jaw, neutral.eyes, root, translation)
    skull = head.skin_weights[:, 0] < 1e-6
    posed = head.pose(params)[:, skull] @ VIEWMAT[:3, :3].T
    np.testing.assert_allclose(posed, truth.apply(head.vertices[skull]), atol=2e-5)
    # The torso turns less than the head.
    assert np.abs(root[:, 1]).max() < 0.4 * 0.4


def test_bounded_coefficients_equal_scipys() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(40, 8))
    b = a @ rng.uniform(-0.5, 1.5, 8)
    truth = lsq_linear(a, b, (0, 1)).x
    found = solve_expressions(
        (a.T @ a)[None].astype(np.float32),
        (a.T @ b)[None].astype(np.float32),
        np.zeros((1, 8)),
        np.zeros(8, bool),
        25.0,
        ExpressionPrior(sparse=0, ridge=0, steady=0),
        sweeps=500,
    )
    np.testing.assert_allclose(found[0], truth, atol=5e-3)


def test_a_blink_of_three_frames_survives_the_smoothing_in_time() -> None:
    # A blink moves some 30 lid landmarks by about 10 px: H is about 3000.
    wanted = np.zeros((25, 1), np.float32)
    wanted[11:14] = 1
    hessian = np.full((25, 1, 1), 3000.0, np.float32)
    found = solve_expressions(
        hessian, 3000 * wanted, np.zeros((25, 1)), np.zeros(1, bool), 25.0, ExpressionPrior()
    )
    assert found[12, 0] > 0.9
    assert found[9, 0] < 0.02


def test_barycentrics_give_the_point_back() -> None:
    rng = np.random.default_rng(3)
    triangles = rng.uniform(0, 100, (50, 3, 2))
    points = rng.uniform(0, 100, (50, 2))
    share = barycentrics(points, triangles)
    np.testing.assert_allclose(np.einsum("nk,nkc->nc", share, triangles), points, atol=1e-6)


def test_flow_takes_the_jitter_out_of_poses() -> None:
    model = landmark_model(builtin_head())
    truth = nodding(20)
    shaped = np.broadcast_to(model.neutral, (20, *model.neutral.shape))
    seen = observe(truth.apply(model.neutral))
    tracks = perfect_tracks(model, truth)
    rng = np.random.default_rng(0)
    shaken = Poses(
        matrix_from_rotvec(rng.normal(0, 0.008, (20, 3))) @ truth.rotation,
        truth.translation + rng.normal(0, 0.0005, (20, 3)),
    )
    neutral = np.zeros((20, len(model.expression)))
    poses = carried_poses(tracks, model, shaken, neutral, seen, SOFT)
    before, after = (
        np.linalg.norm(carry_tracks(tracks, shaped, p, K)[2], axis=-1) for p in (shaken, poses)
    )
    assert np.median(before) > 0.3
    assert np.median(after) < 0.1 * np.median(before)
    assert np.abs(poses.rotation - truth.rotation).max() < 0.004


@pytest.mark.parametrize("frame", [5, 8])
def test_what_a_pose_does_to_corners_is_as_finite_differences_say(frame: int) -> None:
    """In the first frame a corner slides over its triangle, in the second it is carried along."""
    model, truth, focal, step = landmark_model(builtin_head()), nodding(20), K[0, 0], 1e-6
    shaped = np.broadcast_to(model.neutral, (20, *model.neutral.shape))
    tracks = perfect_tracks(model, truth)
    tracks = tracks.at((tracks.first == 5) & (tracks.second == 8))
    here, there, _ = carry_tracks(tracks, shaped, truth, K)
    first, second = track_jacobians(tracks, shaped, truth, truth.translation, focal, here, there)
    found = -first if frame == 5 else second
    for unknown in range(6):
        errors = []
        for sign in (1, -1):
            change = sign * step * np.eye(6)[unknown]
            rotation, translation = truth.rotation.copy(), truth.translation.copy()
            rotation[frame] = matrix_from_rotvec(change[:3]) @ rotation[frame]
            translation[frame] += change[3:]
            errors.append(carry_tracks(tracks, shaped, Poses(rotation, translation), K)[2])
        real = (errors[0] - errors[1]) / (2 * step)
        apart = np.linalg.norm(found[..., unknown] - real, axis=-1)
        assert np.median(apart) < 0.05 * np.median(np.linalg.norm(real, axis=-1))


def test_a_spread_offset_is_met_at_the_landmarks_and_fades_far_away() -> None:
    head = builtin_head()
    model = landmark_model(head)
    offset = np.zeros_like(model.neutral)
    offset[:, 1] = 0.004 * np.exp(-((model.neutral[:, 0] / 0.03) ** 2))
    field = spread_offset(head, model.index, offset)
    corners = head.faces[head.landmark_faces[model.index]]
    weights = head.landmark_barycentrics[model.index]
    met = np.einsum("mk,mkc->mc", weights, field[corners])
    assert np.abs(met - offset).max() < 0.0008
    back = head.vertices[:, 2] < head.vertices[:, 2].min() + 0.03
    assert np.abs(field[back]).max() < 0.001


def test_lost_frames_are_bridged_in_a_straight_line() -> None:
    landmarks = np.zeros((6, 478, 3))
    landmarks[:] = np.arange(6.0)[:, None, None]
    lost = landmarks.copy()
    lost[[2, 3]] = np.nan
    np.testing.assert_allclose(bridge_lost(lost), landmarks)
    lost[[0, 5]] = np.nan
    bridged = bridge_lost(lost)
    assert bridged[0, 0, 0] == 1
    assert bridged[5, 0, 0] == 4


def test_zero_coefficients_close_the_lips_of_someone_always_seen_talking() -> None:
    model = landmark_model(builtin_head())
    parted = np.zeros_like(model.neutral)
    place = {landmark: point for point, landmark in enumerate(model.index)}
    for lower in LIPS_INNER[11:]:
        parted[place[lower], 1] = -0.006
    shut = model.neutral + close_lips(model.index, model.neutral, parted)
    gap = shut[place[13], 1] - shut[place[14], 1]
    assert gap == pytest.approx(model.neutral[place[13], 1] - model.neutral[place[14], 1], abs=1e-6)
