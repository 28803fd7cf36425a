"""The sample clip's puppet: it stands where the portrait does and moves as its params say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage", reason="the sample's portrait is in the scikit-image wheel")

from engine.api.errors import TrackingError
from engine.api.head import HeadParams
from engine.api.rotations import matrix_from_rotvec
from engine.api.settings import TrackSettings
from engine.heads.builtin import builtin_head
from engine.imaging import write_png
from engine.sample import draw_frame
from engine.sample.camera import FRAME, MARGIN, camera_matrix, project
from engine.sample.performance import perform
from engine.sample.portrait import load_portrait
from engine.sample.puppet import Puppet, build_puppet
from engine.tracking import track
from engine.tracking.detectors import landmark_passes
from engine.tracking.performance import solve_performance
from engine.tracking.takes import Take


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return build_puppet(builtin_head(), load_portrait())


def landmark_pixels(puppet: Puppet, params: object) -> np.ndarray:
    head = puppet.head
    corners = head.pose(params)[head.faces[head.landmark_faces[:468]]]
    return project(np.einsum("nk,nkc->nc", head.landmark_barycentrics[:468], corners))


def test_puppet_in_the_photos_pose_meets_the_photos_landmarks(puppet: Puppet) -> None:
    error = landmark_pixels(puppet, puppet.photo) - puppet.portrait.landmarks
    assert np.median(np.linalg.norm(error, axis=1)) < 1.5  # pixels of 720


def test_frame_in_the_photos_pose_is_the_photo(puppet: Puppet) -> None:
    image, matte = draw_frame(puppet, puppet.photo)
    window = slice(MARGIN, -MARGIN)
    texture = puppet.portrait.texture[window, window]
    alpha = texture[..., 3:]
    photo = texture[..., :3] * alpha + puppet.portrait.plate[window, window] * (1 - alpha)
    assert np.abs(image - photo).mean() < 0.01
    assert np.abs(matte - alpha[..., 0]).mean() < 0.005


def test_a_blink_changes_the_eyes_and_leaves_mouth_and_clothes(puppet: Puppet) -> None:
    names = puppet.head.expression_names
    expression = puppet.photo.expression.copy()
    expression[[names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]] = 1
    open_eyes, _ = draw_frame(puppet, puppet.photo)
    shut_eyes, _ = draw_frame(puppet, replace(puppet.photo, expression=expression))
    change = np.abs(open_eyes - shut_eyes).max(-1)
    left, right = (puppet.portrait.landmarks[[33, 263]] - MARGIN).astype(int)
    eyes = change[left[1] - 10 : left[1] + 12, left[0] : right[0]]
    assert eyes.max() > 0.3
    mouth_top = int(puppet.portrait.landmarks[0, 1]) - MARGIN - 4
    assert change[mouth_top:].max() < 0.02


def test_the_performance_moves_every_region_within_bounds() -> None:
    names = builtin_head().expression_names
    params = perform(names, 14.0, 25.0)
    assert len(params) == 350
    assert params.expression.min() >= 0
    assert params.expression.max() <= 1
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUp", "mouthPucker"):
        assert np.ptp(params.expression[:, names.index(name)]) > 0.4, name
    assert np.degrees(np.abs(params.neck[:, 1]).max()) > 10


def turned(puppet: Puppet, yaw: np.ndarray) -> tuple[HeadParams, np.ndarray]:
    """The photo's person turned by `yaw` [T] radians, and pictures [T, FRAME, FRAME, 3] of it."""
    count = len(yaw)
    still = replace(
        HeadParams.neutral(0, count), expression=np.repeat(puppet.photo.expression[None], count, 0)
    )
    turn = np.stack([0 * yaw, yaw, 0 * yaw], -1).astype(np.float32)
    params = puppet.placed(replace(still, neck=0.8 * turn, rotation=0.2 * turn))
    drawn = [np.clip(draw_frame(puppet, params[t])[0], 0, 1) for t in range(count)]
    return params, (np.stack(drawn) * 255).round().astype(np.uint8)


def yaws(params: HeadParams) -> np.ndarray:
    """Degrees [T] that the face points to the subject's left."""
    rotation, neck = params.rotation.astype(float), params.neck.astype(float)
    forward = (matrix_from_rotvec(rotation) @ matrix_from_rotvec(neck))[..., 2]
    return np.degrees(np.arctan2(forward[..., 0], forward[..., 2]))


def test_a_head_that_turns_to_sixty_degrees_is_followed_all_the_way(puppet: Puppet) -> None:
    truth, images = turned(puppet, np.radians(60) * np.sin(np.linspace(0, np.pi, 31)))
    landmarks, disagreement = landmark_passes(images, lambda share: None)
    take = Take(images, landmarks, disagreement, 25.0)
    K = camera_matrix(1, FRAME).astype(float)
    found = solve_performance(builtin_head(), [take], K, lambda stage, share: None)
    seen, real = yaws(found.params), yaws(truth)
    assert np.isfinite(disagreement).mean() > 0.9
    assert seen.max() > 54
    assert np.abs(seen - real).max() < 8


def test_a_profile_alone_is_refused_in_plain_words(puppet: Puppet, tmp_path: Path) -> None:
    _, images = turned(puppet, np.radians([85.0]))
    folder = tmp_path / "profile"
    folder.mkdir()
    for index in range(12):
        write_png(folder / f"{index:02d}.png", images[0])
    with pytest.raises(TrackingError, match="No face") as caught:
        track(folder, tmp_path / "clip", TrackSettings(size=256, fast_matte=True))
    assert "profile alone cannot be tracked" in caught.value.hint
