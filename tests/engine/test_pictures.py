"""The pictures a fit is judged by show what they claim to."""

from __future__ import annotations

import numpy as np
import pytest

from engine.api.settings import RGBAvatarSettings
from engine.bake import bake
from engine.imaging import read_image
from engine.methods.rgbavatar import reconstruct
from engine.metrics import on_black
from engine.pictures import slider_poses, write_comparison, write_orbit, write_sliders
from engine.render import source_camera, usual_pose
from tests.engine.ellipsoid import EllipsoidClip


@pytest.fixture(scope="module")
def started():
    """An avatar that has only its first colours, and its clip."""
    clip = EllipsoidClip(frames=12, size=64)
    first = next(reconstruct(clip, RGBAvatarSettings(uv_size=32, blendshapes=4, size=64), "cpu"))
    return bake(first.avatar, clip), clip


def test_the_comparison_holds_the_footage_left_of_the_avatar(started, tmp_path):
    baked, clip = started
    write_comparison(tmp_path / "comparison.png", baked, clip, np.arange(12), most=6)
    image, _ = read_image(tmp_path / "comparison.png")
    assert image.shape == (2 * 64, 3 * 128, 3)
    # Below the label, the first tile's left half is the first frame.
    np.testing.assert_allclose(image[20:64, :64] / 255, on_black(clip.frame(0))[20:], atol=0.01)


def test_every_slider_of_the_head_is_shown_alone(started, tmp_path):
    baked, _ = started
    labels, poses = slider_poses(baked)
    assert labels[0] == "neutral"
    # The ellipsoid has the jaw and one lid, but not all that "blink" or "brows up" need.
    assert labels[1:3] == ["jaw open", "wink"]
    assert (poses.expression[1:3] > 0).sum(1).tolist() == [1, 1]
    write_sliders(tmp_path / "sliders.png", baked, size=48)
    assert read_image(tmp_path / "sliders.png")[0].shape == (48, 5 * 48, 3)


def test_the_orbit_is_drawn_over_grey_so_that_holes_show(started, tmp_path):
    baked, _ = started
    write_orbit(tmp_path / "orbit.png", baked, size=48)
    image, _ = read_image(tmp_path / "orbit.png")
    assert np.abs(image[44, 4].astype(int) - 128).max() <= 1


def test_the_usual_pose_is_neutral_where_the_person_was(started):
    baked, clip = started
    pose = usual_pose(baked)
    assert not pose.expression.any()
    np.testing.assert_allclose(pose.translation, [0, 0, -0.6], atol=1e-6)
    assert source_camera(baked, 32).K[0, 0] == pytest.approx(clip.camera.K[0, 0] / 2)
