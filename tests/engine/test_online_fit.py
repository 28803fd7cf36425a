"""The fit on the fly of a ray-traced clip whose truth is known, played by a clock of steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.api.settings import OnlineSettings, RGBAvatarSettings
from engine.bake import bake
from engine.methods.late_colours import reveal
from engine.methods.online import FIRST_FRAMES, OnlineFit
from engine.methods.rgbavatar import reconstruct
from engine.metrics import evaluate, held_out
from engine.networks import CodeStatistics, GroupedWeights
from engine.stream import Arrived, Learned, Replay
from tests.engine.ellipsoid import EllipsoidClip

SETTINGS = RGBAvatarSettings(
    uv_size=32, blendshapes=8, images=480, batch=4, base_only_images=60, size=64
)
STEPS = SETTINGS.images // SETTINGS.batch


@pytest.fixture(scope="module")
def clip() -> EllipsoidClip:
    return EllipsoidClip(frames=40, size=64)


def play(clip: Any, online: OnlineSettings, steps: int = STEPS, seed: int = 0) -> OnlineFit:
    """The fit of all but the held-out frames, which have all come after a third of the steps."""
    last = int(held_out(len(clip))[0])
    step = 0
    stream = Replay(clip, lambda: 3 * step / steps * last / clip.fps)
    fit: OnlineFit | None = None
    for step in range(steps):
        for event in stream.take():
            if isinstance(event, Learned):
                fit = OnlineFit(event, SETTINGS, online, "cpu", seed)
            elif fit and event.number < last:
                fit.keep(event)
        assert fit
        fit.step(step / steps)
    assert fit
    fit.finish()
    return fit


def psnr(avatar: Any, clip: Any) -> float:
    tests = held_out(len(clip))
    return evaluate(bake(avatar, clip, {}, tests, draft=True), clip, tests)["psnr"]


def test_the_fit_on_the_fly_comes_near_the_offline_fit_of_as_many_images(
    clip: EllipsoidClip,
) -> None:
    fit = play(clip, OnlineSettings(local_pool=10, global_pool=30))
    train = np.arange(held_out(len(clip))[0])
    *_, offline = reconstruct(clip, SETTINGS, "cpu", train_frames=train)  # type: ignore[arg-type]
    assert fit.images < SETTINGS.images  # the first frames have to come before the first step
    online, whole = psnr(fit.avatar, clip), psnr(offline.avatar, clip)
    # Measured: 25.0 against 25.2 dB.
    assert online > whole - 0.7


def test_the_same_stream_and_seed_give_the_same_avatar(clip: EllipsoidClip) -> None:
    fits = [play(clip, OnlineSettings(), 20, seed) for seed in (3, 3, 4)]
    first, second, other = (bake(fit.avatar, clip, draft=True).base for fit in fits)
    np.testing.assert_array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_no_more_frames_are_held_than_the_pools_hold(clip: EllipsoidClip) -> None:
    fit = play(clip, OnlineSettings(local_pool=6, global_pool=6), 60)
    assert len(fit._frames) == 13  # one slot to write before another frame goes
    assert len(set(fit._frames.numbers)) == 13


def test_there_is_no_avatar_and_no_step_before_the_first_frames(clip: EllipsoidClip) -> None:
    fit = OnlineFit(person(clip), SETTINGS, OnlineSettings(), "cpu")
    for number in range(FIRST_FRAMES - 1):
        fit.keep(arrived(clip, number))
        fit.step(0.0)
    assert fit.avatar is None
    assert fit.images == 0
    fit.keep(arrived(clip, FIRST_FRAMES - 1))
    assert fit.avatar is not None


def test_a_frame_in_which_the_head_is_lost_is_not_learned_from(clip: EllipsoidClip) -> None:
    fit = OnlineFit(person(clip), SETTINGS, OnlineSettings(), "cpu")
    for number in range(FIRST_FRAMES):
        fit.keep(replace(arrived(clip, number), confidence=0.0))
    assert fit.avatar is None


def test_a_head_that_is_known_better_moves_every_frame_so_far(clip: EllipsoidClip) -> None:
    fit = OnlineFit(person(clip), SETTINGS, OnlineSettings(), "cpu")
    for number in range(FIRST_FRAMES):
        fit.keep(arrived(clip, number))
    before = fit._frames.vertices[:FIRST_FRAMES].clone()
    higher = replace(clip.head, vertices=clip.head.vertices + np.float32([0, 0.01, 0]))
    fit.know(replace(person(clip), head=higher))
    moved = (fit._frames.vertices[:FIRST_FRAMES] - before).norm(dim=-1)
    torch.testing.assert_close(moved, torch.full_like(moved, 0.01), atol=1e-5, rtol=0)
    assert fit.avatar
    assert fit.avatar.head is higher


def test_new_statistics_change_no_weight_inside_the_old_range() -> None:
    random = np.random.default_rng(0)
    early, late = random.uniform(0, 0.5, (50, 3)), random.uniform(0, 1, (80, 3))
    net = GroupedWeights(
        CodeStatistics(early), np.ones((2, 3), bool), (3, 2), torch.Generator().manual_seed(0)
    )
    inside = torch.from_numpy(early.astype(np.float32))
    outside = torch.full((1, 3), 0.9)
    before, clamped = net.unclamped(inside), net.unclamped(outside)
    net.restate(CodeStatistics(np.concatenate([early, late])))
    torch.testing.assert_close(net.unclamped(inside), before, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(net.unclamped(outside), clamped)


def test_what_shows_late_gets_the_colour_it_shows(clip: EllipsoidClip) -> None:
    fit = OnlineFit(person(clip), SETTINGS, OnlineSettings(), "cpu")
    for number in range(FIRST_FRAMES):
        fit.keep(arrived(clip, number))
    avatar = fit.avatar
    assert avatar
    well_seen = avatar.opacities > 1.5
    truth = avatar.colors[well_seen].clone()
    with torch.no_grad():
        avatar.colors[well_seen] = 0.0
        avatar.opacities[well_seen] = -9.0
    waiting = reveal(avatar, fit._frames, torch.arange(4), well_seen)
    assert waiting.float().mean() < 0.05
    found = well_seen & ~waiting
    error = (avatar.colors[found] - truth[~waiting[well_seen]]).abs().mean()
    assert error < 0.08


def person(clip: EllipsoidClip) -> Learned:
    return Learned(clip.head, clip.camera, np.arange(len(clip)), clip.params)


def arrived(clip: EllipsoidClip, number: int) -> Arrived:
    return Arrived(number, number / clip.fps, clip.frame(number), 1.0)
