"""Metrics against closed forms and scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from engine.api.errors import LikenessError
from engine.metrics import held_out, held_out_of_each, on_black, psnr, ssim
from tests.engine.ellipsoid import EllipsoidClip


def test_psnr_of_a_known_error():
    image = np.zeros((8, 8, 3))
    assert psnr(image, image + 0.1) == pytest.approx(20)
    assert psnr(image, image) == math.inf


def test_ssim_agrees_with_scikit_image_away_from_the_border():
    rng = np.random.default_rng(1)
    # A black rim as wide as the window: both conventions for the border then agree.
    image = np.zeros((64, 64, 3), np.float32)
    image[12:-12, 12:-12] = rng.uniform(0, 1, (40, 40, 3))
    other = np.clip(image + rng.normal(0, 0.1, image.shape) * (image > 0), 0, 1)
    _, full = structural_similarity(
        image,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1,
        data_range=1,
        full=True,
    )
    assert ssim(image, other) == pytest.approx(float(full.mean()), abs=1e-4)


def test_held_out_frames_are_the_last_share_and_at_most_350():
    assert held_out(200, "15%").tolist() == list(range(170, 200))
    assert held_out(200, "40").tolist() == list(range(160, 200))
    assert len(held_out(5000, "15%")) == 350


def test_of_several_takes_the_last_frames_of_each_are_held_out() -> None:
    takes = [range(100), range(100, 300), range(300, 301)]
    assert held_out_of_each(takes[:1], "15%").tolist() == held_out(100, "15%").tolist()
    chosen = held_out_of_each(takes, "15%").tolist()
    assert chosen == [*range(85, 100), *range(270, 300)]
    assert held_out_of_each(takes, "30").tolist() == [*range(90, 100), *range(280, 300)]


@pytest.mark.parametrize("test", ["all", "-3", "199", "100%"])
def test_an_impossible_number_of_test_frames_is_refused(test):
    with pytest.raises(LikenessError) as caught:
        held_out(200, test)
    assert caught.value.hint


def test_the_footage_is_composited_over_black_with_its_own_matte():
    frame = EllipsoidClip(2, 32).frame(0)
    image = on_black(frame)
    assert (image[frame.alpha == 0] == 0).all()
    inside = frame.alpha == 255
    np.testing.assert_allclose(image[inside], frame.image[inside] / 255, atol=1e-6)
