"""Photometric tracking: its gradient is right, and it finds poses that were disturbed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.api.head import HeadParams
from engine.api.settings import RGBAvatarSettings
from engine.avatar import drive
from engine.binding import SurfaceBinding, uniform_uv_binding
from engine.heads.builtin import builtin_head
from engine.methods.photometric import track_by_avatar
from engine.methods.rgbavatar import reconstruct
from tests.engine.ellipsoid import EllipsoidClip

SETTINGS = RGBAvatarSettings(
    uv_size=40, blendshapes=12, images=500, batch=4, base_only_images=100, size=64
)
LAST = np.arange(34, 40)


@pytest.fixture(scope="module")
def clip():
    return EllipsoidClip(frames=40, size=64)


@pytest.fixture(scope="module")
def avatar(clip):
    *_, last = reconstruct(clip, SETTINGS, "cpu", train_frames=np.arange(34))
    return last.avatar


def disturbed(params: HeadParams) -> HeadParams:
    """Three degrees and eight millimetres off at the last frames: two pixels."""
    rotation, translation = np.array(params.rotation), np.array(params.translation)
    rotation[LAST] += np.float32([0.0, 0.05, 0.0])
    translation[LAST] += np.float32([0.008, -0.004, 0.0])
    return replace(params, rotation=rotation, translation=translation)


def shift(clip: EllipsoidClip, params: HeadParams) -> float:
    """Mean distance in millimetres, across the line of sight, of the last frames' heads from where
    they are: 64 pixels say little of depth."""
    there = [drive(clip.head, one[LAST])[1][..., :2] for one in (params, clip.params)]
    return 1000 * float((there[0] - there[1]).norm(dim=-1).mean())


def test_disturbed_poses_are_found_again(clip, avatar, monkeypatch):
    off = disturbed(clip.params)
    truth = shift(clip, off)
    moved = EllipsoidClip(frames=40, size=64)
    monkeypatch.setattr(moved, "frame", clip.frame)  # the pictures stay as they are
    monkeypatch.setattr(moved, "params", off)
    found = track_by_avatar(avatar, moved, LAST)
    assert truth > 6
    assert shift(clip, found) < 0.25 * truth
    np.testing.assert_array_equal(found.rotation[:34], off.rotation[:34])


def test_tracking_teaches_the_avatar_nothing(clip, avatar):
    before = {name: value.clone() for name, value in avatar.state_dict().items()}
    track_by_avatar(avatar, clip, LAST)
    assert all(torch.equal(value, before[name]) for name, value in avatar.state_dict().items())
    assert all(parameter.requires_grad for parameter in avatar.parameters())


def test_lost_frames_stay_as_they_are(clip, avatar, monkeypatch):
    blind = EllipsoidClip(frames=40, size=64)
    monkeypatch.setattr(blind, "confidence", np.zeros(40, np.float32))
    assert track_by_avatar(avatar, blind, LAST) is blind.params


def test_the_gradient_of_carried_means_by_the_vertices():
    head = builtin_head()
    binding = uniform_uv_binding(head, 12)
    surface = SurfaceBinding(binding, head.faces).double()
    generator = torch.Generator().manual_seed(0)
    means = 0.01 * torch.randn(1, len(binding.face), 3, generator=generator, dtype=torch.float64)
    quats = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand(1, len(binding.face), 4)
    vertices = torch.from_numpy(head.vertices.astype(np.float64))[None].requires_grad_()
    wanted = torch.randn(means.shape, generator=generator, dtype=torch.float64)

    def value(at: torch.Tensor) -> torch.Tensor:
        return (surface.carry(means, quats, at)[0] * wanted).sum()

    (gradient,) = torch.autograd.grad(value(vertices), vertices)
    along = torch.randn(vertices.shape, generator=generator, dtype=torch.float64)
    step = 1e-7
    with torch.no_grad():
        numeric = (value(vertices + step * along) - value(vertices - step * along)) / (2 * step)
    assert float((gradient * along).sum()) == pytest.approx(float(numeric), rel=1e-5)
