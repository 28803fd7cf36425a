"""gsplat against the double precision reference, on a machine with a CUDA device and gsplat."""

from __future__ import annotations

import pytest
import torch

from engine.gaussians import Cameras, Gaussians
from engine.rasterize import backends_available, rasterize, splat_weights
from tests.engine.rasterize_scenes import random_cameras, random_gaussians, relative_error

pytestmark = pytest.mark.skipif(
    "gsplat" not in backends_available(), reason="needs a CUDA device and gsplat"
)


def on_gpu(scene: Gaussians, cameras: Cameras) -> tuple[Gaussians, Cameras]:
    moved = Gaussians(*(value.detach().float().cuda().requires_grad_() for value in scene))
    return moved, Cameras(cameras.viewmats.cuda(), cameras.Ks.cuda(), *cameras[2:])


@pytest.mark.parametrize("scale", [0.003, 0.01, 0.05])
def test_images_and_gradients_equal_the_reference(scale):
    scene, cameras = random_gaussians(2, 250, scale=scale), random_cameras(2, 53, 37)
    background = torch.rand(2, 3)
    leaves = Gaussians(*(value.requires_grad_() for value in scene))
    truth = rasterize(leaves, cameras, background.double(), backend="reference")
    fast_leaves, fast_cameras = on_gpu(scene, cameras)
    fast = rasterize(fast_leaves, fast_cameras, background.cuda())
    for expected, value in zip(truth, fast, strict=True):
        assert (value.cpu() - expected).abs().max() < 1e-4
    upstream = [torch.randn(value.shape) for value in truth]
    expected = torch.autograd.grad(truth, leaves, [u.double() for u in upstream])
    gradients = torch.autograd.grad(fast, fast_leaves, [u.cuda() for u in upstream])
    for name, one, other in zip(Gaussians._fields, expected, gradients, strict=True):
        assert relative_error(other.cpu(), one) < 1e-3, name


def test_a_gaussian_that_is_not_finite_is_left_out():
    scene, cameras = random_gaussians(1, 40), random_cameras(1, 20, 20)
    without = Gaussians(*(value[:, 1:] for value in scene))
    scene.means[0, 0, 0] = float("nan")
    rendered = rasterize(*on_gpu(scene, cameras))[0]
    torch.testing.assert_close(rendered, rasterize(*on_gpu(without, cameras))[0])


def test_splat_weights_equal_the_reference():
    scene, cameras = random_gaussians(2, 30, scale=0.03), random_cameras(2, 21, 17)
    images = torch.rand(2, 17, 21, 3, dtype=torch.float64)
    expected = splat_weights(scene, cameras, images, "reference")
    found = splat_weights(*on_gpu(scene, cameras), images.cuda())
    for one, other in zip(expected, found, strict=True):
        assert relative_error(other.cpu(), one) < 1e-4
