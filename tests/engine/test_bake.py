"""The bake of an RGBAvatar is the avatar: same pixels, normalised weights, ordered Gaussians."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.api.baked import GaussianArrays
from engine.api.settings import RGBAvatarSettings
from engine.bake import bake
from engine.methods.rgbavatar import reconstruct
from engine.metrics import psnr
from engine.render import orbit_camera, render_arrays, render_baked, render_performance
from tests.engine.ellipsoid import EllipsoidClip


@pytest.fixture(scope="module")
def fitted():
    clip = EllipsoidClip(frames=16, size=64)
    settings = RGBAvatarSettings(
        uv_size=32, blendshapes=6, images=200, base_only_images=40, size=64
    )
    *_, last = reconstruct(clip, settings, "cpu")
    return last.avatar, bake(last.avatar, clip, {"method": "rgbavatar"}), clip


def test_baked_and_unbaked_renders_agree_to_a_thousandth_per_pixel(fitted):
    avatar, baked, clip = fitted
    with torch.no_grad():
        exact = GaussianArrays(*(part.numpy() for part in avatar.pose(clip.params)))
    truth = [rgb for rgb, _ in render_arrays(exact, [clip.camera] * len(clip), None)]
    images = [rgb for rgb, _ in render_performance(baked, clip.params, clip.camera)]
    difference = np.abs(np.stack(truth) - np.stack(images)).max(-1)
    # Rounding may flip the rasteriser's 1/255 cut of single splats at their rims.
    assert np.quantile(difference, 0.999) < 1e-3
    assert difference.max() < 1.5 / 255


def test_the_measured_bake_error_is_stored(fitted):
    _, baked, _ = fitted
    assert baked.info["bake_error"]["mean"] < 1e-5
    assert baked.info["bake_error"]["psnr"] > 80
    assert baked.info["method"] == "rgbavatar"


def test_weights_seen_in_the_footage_stay_within_one(fitted):
    _, baked, clip = fitted
    weights = np.abs(baked.weights(clip.params)).max(0)
    assert weights.max() <= 1.001
    assert weights.min() > 0.9


def test_weights_stay_bounded_for_poses_never_seen(fitted):
    _, baked, clip = fitted
    wild = clip.params[:2]
    wild.expression[:] = 5.0
    assert np.abs(baked.local(baked.weights(wild))).max() < 50


def test_levels_are_prefixes_that_keep_what_covers_most(fitted):
    _, baked, clip = fitted
    assert baked.levels[0] == baked.count
    assert list(baked.levels) == sorted(baked.levels)[::-1]
    _, full = render_baked(baked, clip.params[0], clip.camera)
    _, first = render_baked(baked, clip.params[0], clip.camera, count=baked.count // 2)
    assert first.sum() > 0.75 * full.sum()


def test_coarser_levels_stand_in_for_what_they_leave_out(fitted):
    _, baked, clip = fitted
    bare = replace(baked, level_offsets=())
    whole = [rgb for rgb, _ in render_performance(baked, clip.params, clip.camera)]

    def psnr_of(avatar, count):
        images = render_performance(avatar, clip.params, clip.camera, count=count)
        return np.mean([psnr(rgb, truth) for (rgb, _), truth in zip(images, whole, strict=True)])

    assert [len(offsets) for offsets in baked.level_offsets] == list(baked.levels[1:])
    for count in baked.levels[1:]:
        assert psnr_of(baked, count) > psnr_of(bare, count) + 1


def test_an_orbit_camera_keeps_the_centre_where_it_was(fitted):
    _, _, clip = fitted
    centre = np.array([0.02, -0.01, -0.6, 1.0])
    camera = orbit_camera(clip.camera, centre[:3], np.radians(30))
    np.testing.assert_allclose(camera.viewmat @ centre, clip.camera.viewmat @ centre, atol=1e-6)
    # It went to the subject's left (+x) and looks back.
    position = -camera.viewmat[:3, :3].T @ camera.viewmat[:3, 3]
    assert position[0] == pytest.approx(
        0.02 + 0.6 * np.sin(np.radians(30)) - 0.02 * np.cos(np.radians(30)), abs=0.02
    )
