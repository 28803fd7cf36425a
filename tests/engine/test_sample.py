"""The sample clip's puppet: it stands where the portrait does and moves as its params say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("skimage", reason="the sample's portrait is in the scikit-image wheel")

from engine.heads.builtin import builtin_head
from engine.sample import draw_frame
from engine.sample.camera import MARGIN, project
from engine.sample.performance import perform
from engine.sample.portrait import load_portrait
from engine.sample.puppet import Puppet, build_puppet


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
