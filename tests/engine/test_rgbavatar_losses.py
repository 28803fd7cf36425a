"""The fit's costs and corrections against autograd and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.binding import uniform_uv_binding
from engine.heads.builtin import builtin_head
from engine.losses import (
    composite,
    l1_gradient,
    limit_shapes,
    offset_penalty,
    photometric_gradient,
    ssim,
    ssim_gradient,
)
from engine.methods.optimisation import POSITION_FIRST, POSITION_LAST, Schedule
from engine.methods.region_priors import region_priors


def test_the_l1_gradient_equals_autograd_of_the_weighted_mean():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 8, 12, 3, generator=generator).requires_grad_()
    target = torch.rand(2, 8, 12, 3, generator=generator)
    for weight in (None, torch.rand(2, 8, 12, generator=generator)):
        plain = (image - target).abs()
        plain = (plain if weight is None else plain * weight[..., None]).mean()
        (truth,) = torch.autograd.grad(plain, image)
        loss, gradient, _ = l1_gradient(image.detach(), target, weight)
        assert loss == pytest.approx(float(plain), rel=1e-5)
        torch.testing.assert_close(gradient, truth)


@pytest.mark.parametrize("shape", [(2, 37, 50, 3), (1, 5, 8, 3)])
def test_the_gradient_of_ssim_equals_autograd_in_double_precision(shape):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(shape, generator=generator)
    image = target + 0.2 * torch.rand(shape, generator=generator)
    exact = image.double().requires_grad_()
    value = ssim(exact, target.double()).mean()
    (truth,) = torch.autograd.grad(value, exact)
    found, gradient = ssim_gradient(image, target)
    assert found == pytest.approx(float(value), rel=1e-5)
    assert float((gradient - truth).norm() / truth.norm()) < 1e-5


def test_the_photometric_loss_shares_out_its_two_terms():
    generator = torch.Generator().manual_seed(1)
    image, target = (torch.rand(1, 16, 16, 3, generator=generator) for _ in range(2))
    leaf = image.clone().requires_grad_()
    whole = 0.8 * (leaf - target).abs().mean() + 0.2 * (1 - ssim(leaf, target).mean())
    (truth,) = torch.autograd.grad(whole, leaf)
    loss, gradient, _ = photometric_gradient(image, target, None, 0.2)
    assert loss == pytest.approx(float(whole), rel=1e-5)
    torch.testing.assert_close(gradient, truth, rtol=1e-3, atol=1e-8)


def test_compositing_premultiplied_pixels_over_a_background():
    pixel = torch.tensor([[[[51, 0, 0, 102]]]], dtype=torch.uint8)  # 40 % of a half red
    image = composite(pixel, torch.tensor([[0.0, 1.0, 0.5]]))
    torch.testing.assert_close(image[0, 0, 0], torch.tensor([0.2, 0.6, 0.3]))


def test_ssim_is_one_for_equal_images_and_differentiable():
    image = torch.rand(1, 24, 24, 3)
    assert float(ssim(image, image)[0]) == pytest.approx(1, abs=1e-5)
    noisy = (image + 0.1 * torch.randn_like(image)).requires_grad_()
    (gradient,) = torch.autograd.grad(ssim(noisy, image).sum(), noisy)
    better = ssim((noisy + 0.5 * gradient / gradient.abs().max() * 0.1).detach(), image)
    assert float(better[0]) > float(ssim(noisy, image)[0])


def test_only_long_gaussians_and_needles_are_shortened():
    limit = torch.full((3,), math.log(0.01))
    scales = torch.tensor([[0.005, 0.004, 0.001], [0.02, 0.015, 0.001], [0.0003, 0.009, 0.0004]])
    log_scales = scales.log()
    limit_shapes(log_scales, limit, 5.0)
    expected = [[0.005, 0.004, 0.001], [0.01, 0.01, 0.001], [0.0003, 0.002, 0.0004]]
    torch.testing.assert_close(log_scales.exp(), torch.tensor(expected))


def test_offsets_cost_nothing_within_their_limit():
    means = torch.tensor([[0.0, 0.003, 0], [0, 0, 0.01]])
    limit = torch.tensor([0.004, 0.005])
    assert float(offset_penalty(means, limit)) == pytest.approx(0.5, rel=1e-5)


def test_rates_fall_to_the_papers_end():
    start, end = Schedule(0.0), Schedule(1.0)
    assert start.position == start.others == 1
    assert end.position == pytest.approx(POSITION_LAST / POSITION_FIRST)
    assert end.others < 0.2


def test_unseen_teeth_have_a_tint_and_skin_has_none():
    head = builtin_head()
    binding = uniform_uv_binding(head, 64)
    priors = region_priors(head, binding)
    region = np.array(head.region_names)[head.face_regions[binding.face]]
    assert not np.isnan(priors.tint[region == "teeth"]).any()
    assert np.isnan(priors.tint[region == "skin"]).all()
    assert (
        priors.offset_limit[region == "lips"].max() < priors.offset_limit[region == "scalp"].min()
    )
