"""The torch reference against closed forms: it is the truth for the other backends."""

from __future__ import annotations

import math

import pytest
import torch

from engine.gaussians import Cameras, Gaussians
from engine.rasterize import rasterize, reference
from tests.engine.rasterize_scenes import plain_camera, random_cameras, random_gaussians, single


def test_alpha_of_one_gaussian_is_its_projected_bell():
    distance, sigma, focal = 2.0, 0.04, 100.0
    _, alphas, _ = rasterize(
        single((0, 0, distance), sigma, 0.8), plain_camera(), backend="reference"
    )
    variance = (focal * sigma / distance) ** 2 + 0.3
    for offset in (0, 1, 3, 5):
        expected = 0.8 * math.exp(-(offset**2) / (2 * variance))
        assert alphas[0, 16, 16 + offset, 0] == pytest.approx(expected, rel=1e-9)
        assert alphas[0, 16 - offset, 16, 0] == pytest.approx(expected, rel=1e-9)


def test_alpha_below_one_255th_is_nothing_and_above_0_999_is_clamped():
    _, faint, _ = rasterize(single((0, 0, 2), 0.04, 0.0039), plain_camera(), backend="reference")
    _, visible, _ = rasterize(single((0, 0, 2), 0.04, 0.004), plain_camera(), backend="reference")
    _, solid, _ = rasterize(single((0, 0, 2), 0.04, 1.0), plain_camera(), backend="reference")
    assert faint.count_nonzero() == 0
    assert visible[0, 16, 16, 0] == pytest.approx(0.004)
    assert solid.max() == pytest.approx(0.999)


def test_an_elongated_gaussian_lies_along_its_turned_axis():
    turn = math.pi / 6  # about the viewing axis, from x towards y (down)
    needle = single((0, 0, 2), 0.01, 0.9)._replace(
        scales=torch.tensor([[0.1, 0.01, 0.01]], dtype=torch.float64),
        quats=torch.tensor([[math.cos(turn / 2), 0, 0, math.sin(turn / 2)]], dtype=torch.float64),
    )
    _, alphas, _ = rasterize(needle, plain_camera(65), backend="reference")
    image = alphas[0, ..., 0]
    y, x = (torch.arange(65.0).double() - 32).expand(65, 65).T, torch.arange(65.0).double() - 32
    xx, xy, yy = ((image * m).sum() for m in (x * x, x * y, y * y))
    assert float(0.5 * torch.atan2(2 * xy, xx - yy)) == pytest.approx(turn, abs=0.01)


def test_near_covers_far_and_depth_is_the_weighted_sum_of_z():
    near, far = single((0, 0, 2), 0.05, 0.6), single((0, 0, 3), 0.05, 0.5)
    red, green = torch.tensor([[1.0, 0, 0]]).double(), torch.tensor([[0, 1.0, 0]]).double()
    both = [far._replace(colors=green), near._replace(colors=red)]
    scene = Gaussians(*(torch.cat(values) for values in zip(*both, strict=True)))
    blue = torch.tensor([[0, 0, 1.0]]).double()
    colors, alphas, depths = rasterize(scene, plain_camera(), blue, backend="reference")
    assert colors[0, 16, 16].tolist() == pytest.approx([0.6, 0.4 * 0.5, 0.4 * 0.5])
    assert alphas[0, 16, 16, 0] == pytest.approx(0.8)
    assert depths[0, 16, 16, 0] == pytest.approx(0.6 * 2 + 0.2 * 3)


def test_a_pixel_ends_before_its_transmittance_would_fall_to_1e_4():
    one = single((0, 0, 2), 0.05, 0.97)
    stack = Gaussians(*(torch.cat([value] * 5) for value in one))
    _, alphas, _ = rasterize(stack, plain_camera(), backend="reference")
    # 0.03^3 = 2.7e-5 is too little: two Gaussians are drawn, the third ends the pixel
    assert 1 - alphas[0, 16, 16, 0] == pytest.approx(0.03**2)


def test_the_size_of_its_tiles_has_no_effect():
    scene, cameras = random_gaussians(1, 120), random_cameras(1, 53, 37)
    background = torch.rand(1, 3).double()
    small = reference.rasterize(scene, cameras, background, tile=8)
    whole = reference.rasterize(scene, cameras, background, tile=64)
    for a, b in zip(small, whole, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


def test_its_gradients_are_those_of_finite_differences():
    scene = random_gaussians(1, 6, seed=3, opacity=(0.3, 0.9), scale=0.03)
    cameras = random_cameras(1, 9, 7, seed=3)
    background = torch.rand(1, 3, dtype=torch.float64)

    def smooth(*fields: torch.Tensor) -> torch.Tensor:
        # the middle pixels: no Gaussian is at its cut-off there
        outputs = rasterize(Gaussians(*fields), cameras, background, backend="reference")
        return torch.cat([value[:, 3:5, 3:6] for value in outputs], -1)

    leaves = [value.requires_grad_() for value in scene]
    assert torch.autograd.gradcheck(smooth, leaves, eps=1e-6, atol=1e-6)


def test_moving_the_world_and_the_camera_together_changes_nothing():
    scene, cameras = random_gaussians(1, 60), random_cameras(1, 33, 21)
    shift = torch.tensor([0.3, -0.2, 0.5]).double()
    moved = cameras.viewmats.clone()
    moved[:, :3, 3] -= cameras.viewmats[:, :3, :3] @ shift
    before = rasterize(scene, cameras, backend="reference")
    shifted = scene._replace(means=scene.means + shift)
    after = rasterize(shifted, Cameras(moved, *cameras[1:]), backend="reference")
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
