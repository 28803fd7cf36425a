"""The fit on a ray-traced clip whose truth is known, and the rules that keep it well behaved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.api.baked import BakedAvatar
from engine.api.errors import FootageError
from engine.api.settings import METHODS, PRESETS, RGBAvatarSettings
from engine.bake import bake
from engine.binding import uniform_uv_binding
from engine.face_parts import face_parts
from engine.methods.colour_start import start_colours
from engine.methods.region_priors import region_priors
from engine.methods.rgbavatar import reconstruct
from engine.methods.training_frames import TrainingFrames
from engine.metrics import evaluate, held_out, on_black
from engine.networks import CodeStatistics, GroupedWeights
from engine.render import render_baked
from tests.engine.ellipsoid import NAMES, EllipsoidClip

SETTINGS = RGBAvatarSettings(
    uv_size=40, blendshapes=12, images=800, batch=4, base_only_images=100, size=64
)


@pytest.fixture(scope="module")
def clip():
    return EllipsoidClip(frames=40, size=64)


@pytest.fixture(scope="module")
def fitted(clip):
    """The baked avatar of all but the last frames, and those frames."""
    tests = held_out(len(clip), "15%")
    train = np.setdiff1d(np.arange(len(clip)), tests)
    *_, last = reconstruct(clip, SETTINGS, "cpu", train_frames=train)
    return bake(last.avatar, clip, {"name": "ellipsoid"}, tests), tests


def test_held_out_frames_are_matched(clip, fitted):
    baked, tests = fitted
    scores = evaluate(baked, clip, tests)
    assert scores["psnr"] > 27
    assert scores["ssim"] > 0.95


def test_blendshapes_earn_their_keep(clip, fitted):
    # The darkening by the jaw is in no mesh: what the deltas do not draw, nothing draws.
    baked, tests = fitted
    without = replace(baked, deltas=np.zeros_like(baked.deltas))
    jaw = clip.params.expression[tests, 0]
    closed, opened = int(tests[jaw.argmin()]), int(tests[jaw.argmax()])
    assert jaw.max() - jaw.min() > 0.4
    below = np.s_[40:50, 27:37]  # where the jaw's shadow falls
    shadow = on_black(clip.frame(closed))[below].mean() - on_black(clip.frame(opened))[below].mean()

    def drawn(avatar: BakedAvatar) -> float:
        poses = (clip.params[closed], clip.params[opened])
        bright, dark = (render_baked(avatar, pose, clip.camera)[0] for pose in poses)
        return float(bright[below].mean() - dark[below].mean())

    assert drawn(baked) == pytest.approx(shadow, rel=0.1)
    assert drawn(without) < 0.6 * shadow


def test_the_cpu_fit_is_deterministic_by_its_seed(clip):
    short = replace(SETTINGS, images=60, base_only_images=20)
    runs = [list(reconstruct(clip, short, "cpu", seed=seed))[-1].avatar for seed in (3, 3, 4)]
    assert torch.equal(runs[0].means, runs[1].means)
    assert torch.equal(runs[0].parts[0].deltas, runs[1].parts[0].deltas)
    assert not torch.equal(runs[0].means, runs[2].means)


def test_the_first_report_comes_before_any_step_and_can_be_baked(clip):
    reports = reconstruct(clip, SETTINGS, "cpu")
    first = next(reports)
    reports.close()
    assert first.step == 0
    # Colours come straight from the footage (eq. 3): already a fair likeness.
    assert evaluate(bake(first.avatar, clip), clip, np.arange(3))["psnr"] > 15


def test_max_seconds_ends_the_fit_early(clip):
    reports = list(reconstruct(clip, replace(SETTINGS, images=10**6), "cpu", max_seconds=4))
    assert reports[-1].stage == "Done"


def test_a_clip_in_which_the_head_is_lost_is_refused(clip):
    lost = EllipsoidClip(frames=6, size=32)
    lost.confidence[1:] = 0
    with pytest.raises(FootageError) as caught:
        next(reconstruct(lost, SETTINGS, "cpu"))
    assert caught.value.hint


def test_first_colours_are_the_mean_of_the_pixels_a_gaussian_covers():
    clip = EllipsoidClip(frames=4, size=48)
    clip.frame = _painted(clip, (200, 100, 50))
    avatar = next(reconstruct(clip, SETTINGS, "cpu")).avatar
    frames = TrainingFrames(clip, np.arange(4), 48)
    start_colours(avatar, frames, region_priors(clip.head, avatar.binding))
    shown = avatar.opacities > 0  # seen well inside the matte
    colours = avatar.colors.detach()[shown]
    expected = torch.tensor([200.0, 100, 50]) / 255
    torch.testing.assert_close(colours, expected.expand_as(colours), atol=0.01, rtol=0)


def _painted(clip, colour):
    trace = EllipsoidClip(clip.frames, clip.size).frame

    def frame(index):
        image = np.empty_like(trace(index).image)
        image[:] = colour
        return replace(trace(index), image=image)

    return frame


def test_training_frames_hold_premultiplied_pixels_and_their_half_size_means():
    clip = EllipsoidClip(frames=2, size=32)
    frames = TrainingFrames(clip, np.arange(2), 32)
    first = torch.tensor([0])
    full, half = (frames.pictures(first, half)[0].float() for half in (False, True))
    assert (full[full[..., 3] == 0] == 0).all()
    mean = full.reshape(16, 2, 16, 2, 4).mean((1, 3))
    assert (half - mean).abs().max() <= 0.5
    assert frames.cameras(3, True).Ks[0, 0, 0] == frames.cameras(3, False).Ks[0, 0, 0] / 2


def test_parts_confine_a_control_to_its_own_blendshapes_and_place(clip):
    binding = uniform_uv_binding(clip.head, 40)
    parts = face_parts(clip.head, binding, 8)
    assert sum(parts.group_sizes) == 8
    place = np.einsum(
        "nk,nkc->nc", binding.barycentric, clip.head.vertices[clip.head.faces[binding.face]]
    )
    mouth, _, brows, _ = parts.support
    front = place[:, 2] > 0
    assert (
        mouth[front & (np.abs(place[:, 1] + 0.05) < 0.01) & (abs(place[:, 0]) < 0.01)].min() > 0.9
    )
    assert mouth[place[:, 1] > 0.05].max() == 0
    assert brows[place[:, 1] < -0.02].max() == 0


def _network(codes):
    generator = torch.Generator().manual_seed(0)
    return GroupedWeights(CodeStatistics(codes), np.eye(3)[[0, 2, 1]], (3, 2, 2), generator)


def test_a_control_moves_only_the_weights_of_its_part():
    codes = np.random.default_rng(0).uniform(0, 1, (50, 3))
    network = _network(codes)
    neutral, jaw = torch.zeros(1, 3), torch.tensor([[1.0, 0, 0]])
    change = (network(jaw) - network(neutral)).abs()[0]
    assert change[:3].min() > 0
    assert change[3:].max() == 0


def test_a_control_never_seen_in_the_footage_moves_no_weight():
    codes = np.random.default_rng(0).uniform(0, 1, (50, 3))
    codes[:, NAMES.index("browInnerUp")] = 0
    network = _network(codes)
    with torch.no_grad():
        torch.testing.assert_close(network(torch.zeros(1, 3)), network(torch.tensor([[0.0, 1, 0]])))


def test_the_weight_map_is_the_network_exactly_beyond_its_range_too():
    codes = np.random.default_rng(0).uniform(0, 1, (50, 3))
    network = _network(codes)
    with torch.no_grad():
        network.last.weight.mul_(20)  # drive outputs into the clamp
        wild = torch.randn(200, 3) * 3
        truth = network(wild).numpy()
    scale = np.linspace(0.2, 1, 7)
    np.testing.assert_allclose(network.weight_map(scale)(wild.numpy()) * scale, truth, atol=2e-5)
    assert np.abs(truth).max() == 1


def test_presets_grow_in_cost():
    presets = METHODS["rgbavatar"].presets
    costs = [presets[name].images * presets[name].size ** 2 for name in PRESETS]
    assert costs == sorted(costs)
    assert len(set(costs)) == 3


def test_turned_further_than_any_frame_the_head_is_closed(clip, fitted):
    baked, _ = fitted
    params = replace(clip.params[0], neck=np.float32([0.0, 0.8, 0.0]))  # the footage: 0.35 radians
    assert np.abs(clip.params.neck[:, 1]).max() < 0.4
    _, matte = clip._trace(params)
    inside = matte > 0
    inside[1:-1] &= inside[2:] & inside[:-2]
    inside[:, 1:-1] &= inside[:, 2:] & inside[:, :-2]
    _, alpha = render_baked(baked, params, clip.camera)
    assert np.quantile(alpha[inside], 0.02) > 0.9
