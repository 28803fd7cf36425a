"""An avatar moved by a network becomes a sum of blendshapes that the footage has taught again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.api.requests import ReconstructRequest
from engine.api.settings import FlashAvatarSettings, RGBAvatarSettings
from engine.bake import bake, performance_of
from engine.face_parts import face_parts
from engine.linear_avatar import LinearAvatar
from engine.methods import flashavatar, rgbavatar
from engine.methods.settling import settled, shares
from engine.metrics import evaluate, held_out
from tests.engine.ellipsoid import NAMES, EllipsoidClip

SETTINGS = FlashAvatarSettings(
    uv_size=32, network_uv=16, width=32, depth=3, images=320, base_only_images=40, size=64
)


@pytest.fixture(scope="module")
def clip():
    return EllipsoidClip(frames=40, size=64)


@pytest.fixture(scope="module")
def summed(clip):
    """The avatar of a network, the same as a sum, and the frames that neither has seen."""
    tests = held_out(len(clip), "15%")
    train = np.setdiff1d(np.arange(len(clip)), tests)
    *_, last = flashavatar.reconstruct(clip, SETTINGS, "cpu", train_frames=train)
    return last.avatar, settled(last.avatar, clip, performance_of(clip, tests), 4000), tests


def test_what_the_footage_taught_shows_in_frames_that_it_held_out(clip, summed):
    avatar, learned, tests = summed
    before = evaluate(bake(avatar, clip, {}, tests), clip, tests)["psnr"]
    after = evaluate(bake(learned, clip, {}, tests, un_baked=avatar), clip, tests)["psnr"]
    assert after > before + 0.3


def test_the_error_that_is_stored_is_that_against_the_network(clip, summed):
    avatar, learned, tests = summed
    itself = bake(learned, clip, {}, tests).info["bake_error"]
    stored = bake(learned, clip, {}, tests, un_baked=avatar).info["bake_error"]
    assert itself["psnr"] > 70
    assert 25 < stored["psnr"] < 60
    assert stored["psnr_worst_slider"] > 25


def test_a_jaw_slider_still_moves_no_brow(clip, summed):
    _, learned, _ = summed
    codes = torch.zeros(2, len(NAMES))
    codes[1, NAMES.index("jawOpen")] = 1
    brows = face_parts(clip.head, learned.binding, 0).support[[0, 3]].max(0) == 0
    with torch.no_grad():
        raw = learned.local(codes)
    assert isinstance(learned, LinearAvatar)
    assert (raw[1] - raw[0])[torch.from_numpy(brows)].abs().max() == 0


def test_held_out_frames_teach_nothing(clip, summed):
    avatar, learned, tests = summed
    blank = EllipsoidClip(frames=40, size=64)
    read = blank.frame
    blank.frame = lambda index: _raise() if index in tests else read(index)
    again = settled(avatar, blank, performance_of(clip, tests), 4000)
    assert torch.equal(again.raw_base(), learned.raw_base())


def test_a_sum_stays_what_it_is(clip):
    small = RGBAvatarSettings(uv_size=24, blendshapes=4, images=40, base_only_images=8, size=64)
    *_, last = rgbavatar.reconstruct(clip, small, "cpu")
    assert settled(last.avatar, clip, performance_of(clip, held_out(40, "15%")), 40) is last.avatar


def _raise():
    raise AssertionError("a held-out frame was read")


def test_a_time_limit_covers_the_method_and_its_blendshapes(clip, summed):
    request = ReconstructRequest("clip", "a.likeness", method="flashavatar", max_seconds=113)
    assert shares(request) == pytest.approx((100, 13))
    assert shares(replace(request, method="rgbavatar")) == (113, 0)
    assert shares(replace(request, max_seconds=0)) == (0, 0)
    avatar, _, tests = summed
    free, limited = list[float](), list[float]()
    shot = performance_of(clip, tests)
    settled(avatar, clip, shot, 400, free.append)
    settled(avatar, clip, shot, 400, limited.append, seconds=1e-3)
    assert limited[-1] == free[-1] == 1
    assert len(limited) < len(free) - 10  # one step instead of thirteen
