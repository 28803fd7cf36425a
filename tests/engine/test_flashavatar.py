"""FlashAvatar on the clip whose truth is known: its fit, its network, and what baking it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.api.settings import FLASHAVATAR_PAPER, FlashAvatarSettings
from engine.bake import bake
from engine.binding import uniform_uv_binding
from engine.face_parts import face_parts
from engine.linearisation import decompose
from engine.losses import ssim
from engine.methods.flash_loss import SSIM_SHARE, THRESHOLD, huber_gradient, perceptual_gradient
from engine.methods.flashavatar import reconstruct
from engine.metrics import evaluate, held_out
from engine.networks import CodeStatistics
from engine.offset_network import OffsetNetwork, places
from tests.engine.ellipsoid import NAMES, EllipsoidClip, ellipsoid_head

SETTINGS = FlashAvatarSettings(
    uv_size=40, network_uv=20, width=48, depth=3, images=600, base_only_images=80, size=64
)
JAW, BROW = NAMES.index("jawOpen"), NAMES.index("browInnerUp")


@pytest.fixture(scope="module")
def clip():
    return EllipsoidClip(frames=40, size=64)


@pytest.fixture(scope="module")
def fitted(clip):
    """The avatar of all but the last frames, baked, and those frames."""
    tests = held_out(len(clip), "15%")
    train = np.setdiff1d(np.arange(len(clip)), tests)
    *_, last = reconstruct(clip, SETTINGS, "cpu", train_frames=train)
    return last.avatar, bake(last.avatar, clip, {"name": "ellipsoid"}, tests), tests


def test_held_out_frames_are_matched(clip, fitted):
    _, baked, tests = fitted
    assert evaluate(baked, clip, tests)["psnr"] > 26


def test_a_bake_differs_less_from_the_avatar_than_that_from_the_footage(fitted):
    _, baked, _ = fitted
    error = baked.info["bake_error"]
    assert 0 < len(baked.deltas) <= 40
    assert error["psnr"] > 35
    assert error["psnr_worst_slider"] > 30


def test_more_blendshapes_leave_out_less(clip, fitted):
    avatar, _, _ = fitted
    codes = torch.from_numpy(np.float32(clip.head.code(clip.params)))
    with torch.no_grad():
        truth = avatar.local(codes).numpy()
    errors, found = [], decompose(avatar, codes)
    for most in (3, 6, 12):
        base, deltas, weight_map = found.linear(most=most, left_over=1e-6)
        assert len(deltas) <= most
        posed = base + np.tensordot(weight_map(codes.numpy()), deltas, axes=1)
        errors.append(float(np.abs(posed - truth).mean()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.3 * errors[0]


def test_a_jaw_slider_moves_no_brow_before_and_after_baking(clip, fitted):
    avatar, baked, _ = fitted
    codes = torch.zeros(2, len(NAMES))
    codes[1, JAW] = 1
    brows = face_parts(clip.head, avatar.binding, 0).support[[0, 3]].max(0) == 0
    assert brows.any()
    with torch.no_grad():
        raw = avatar.local(codes)
    assert (raw[1] - raw[0])[torch.from_numpy(brows)].abs().max() == 0
    of_baked = face_parts(baked.head, baked.binding, 0).support[[0, 3]].max(0) == 0
    posed = baked.local(baked.weights(replace(clip.params[:2], expression=codes.numpy())))
    assert np.abs(posed[1] - posed[0])[of_baked].max() < 1e-5


def _network(lattice_uv, head):
    binding = uniform_uv_binding(head, 32)
    where = places(head, binding, face_parts(head, binding, 0), lattice_uv)
    codes = np.random.default_rng(0).uniform(0, 1, (50, 3))
    generator = torch.Generator().manual_seed(0)
    return OffsetNetwork(CodeStatistics(codes), where, 16, 3, generator), where, binding


def test_gaussians_read_a_field_that_is_linear_over_the_surface():
    head = ellipsoid_head()
    network, where, binding = _network(24, head)
    support = face_parts(head, binding, 0).support
    field = torch.from_numpy(np.repeat(where.position[None, :, :1], 10, axis=-1))
    corners = head.vertices[head.faces[binding.face]]
    place = np.einsum("nk,nkc->nc", binding.barycentric, corners)
    one_part = support.max(0) >= 1
    read = network.read(field)[0, one_part, 0].numpy() / support.sum(0)[one_part]
    spacing = 2 * np.pi * 0.08 / 24
    assert np.abs(read - place[one_part, 0]).max() < spacing


def test_asked_at_every_gaussian_the_network_is_read_as_it_is():
    head = ellipsoid_head()
    network, where, binding = _network(0, head)
    values = torch.randn(1, len(where.part), 10)
    expected = torch.zeros(1, len(binding.face), 10)
    expected.index_add_(
        1,
        torch.from_numpy(where.reading.row.astype(np.int64)),
        values[:, where.reading.col] * torch.from_numpy(where.reading.data)[:, None].float(),
    )
    torch.testing.assert_close(network.read(values), expected)


def test_gradients_of_reading_are_those_of_the_product():
    network, where, _ = _network(16, ellipsoid_head())
    values = torch.randn(2, len(where.part), 10, requires_grad=True)
    weight = torch.randn(2, network.reading.shape[0], 10)
    (network.read(values) * weight).sum().backward()
    dense = torch.einsum("np,bno->bpo", network.reading.to_dense(), weight)
    torch.testing.assert_close(values.grad, dense)


def test_the_huber_gradient_is_that_of_equation_7():
    image = torch.rand(2, 8, 8, 3, dtype=torch.float64, requires_grad=True)
    target, weight = torch.rand_like(image), torch.rand(2, 8, 8, dtype=torch.float64)
    loss, gradient, _ = huber_gradient(image.detach(), target, weight)
    cost = torch.nn.functional.huber_loss(image, target, reduction="none", delta=THRESHOLD)
    truth = (cost * weight[..., None]).mean() / THRESHOLD
    truth.backward()
    assert loss == pytest.approx(float(truth.detach()))
    torch.testing.assert_close(gradient, image.grad)


def test_without_vgg_s_weights_perception_is_what_ssim_leaves(monkeypatch):
    monkeypatch.setattr("engine.methods.flash_loss.perceptual_network", lambda device: None)
    image, target = torch.rand(2, 24, 24, 3, requires_grad=True), torch.rand(2, 24, 24, 3)
    (SSIM_SHARE * (1 - ssim(image, target).mean())).backward()
    found = perceptual_gradient(image.detach(), target, 0.5, torch.Generator())
    torch.testing.assert_close(found, image.grad, atol=1e-6, rtol=1e-3)


def test_the_paper_s_own_configuration_runs(clip):
    short = replace(FLASHAVATAR_PAPER, uv_size=24, width=16, images=6, size=64)
    *_, last = reconstruct(clip, short, "cpu")
    assert last.stage == "Done"
    assert not last.avatar.means.any()  # only the network moves positions
