"""The Numba backend against the double precision reference, in values and in gradients."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from engine.gaussians import Cameras, Gaussians
from engine.rasterize import rasterize
from tests.engine.rasterize_scenes import (
    plain_camera,
    random_cameras,
    random_gaussians,
    relative_error,
    single,
)

FIELDS = (*Gaussians._fields, "backgrounds")

# Partial tiles in both directions; scales in metres at about 120 px per metre.
REGIMES = {
    "faint": {"opacity": (0.004, 0.1), "scale": 0.01},
    "mixed": {"opacity": (0.02, 0.95), "scale": 0.01},
    "opaque and clamped": {"opacity": (0.99, 1.0), "scale": 0.01},
    "smaller than a pixel": {"opacity": (0.3, 0.999), "scale": 0.002},
    "larger than a tile": {"opacity": (0.02, 0.9), "scale": 0.06},
}


def render_and_gradients(
    scene: Gaussians, cameras: Cameras, backend: str, dtype: torch.dtype, outputs: str
) -> tuple[list[Tensor], list[Tensor]]:
    """Colours, alpha, depth; gradients of a random linear function of the outputs named."""
    random = torch.Generator().manual_seed(7)
    images, channels = len(cameras.viewmats), scene.colors.shape[-1]
    background = torch.rand(images, channels, generator=random)
    leaves = [value.to(dtype).requires_grad_() for value in (*scene, background)]
    rendered = rasterize(Gaussians(*leaves[:5]), cameras, leaves[5], backend=backend)
    loss = torch.zeros((), dtype=dtype)
    for name, value in zip(("colors", "alphas", "depths"), rendered, strict=True):
        upstream = torch.randn(value.shape, generator=random)
        if name in outputs:
            loss = loss + (value * upstream.to(dtype)).sum()
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    zeros = [torch.zeros_like(leaf) for leaf in leaves]
    return list(rendered), [z if g is None else g for z, g in zip(zeros, gradients, strict=True)]


def assert_agrees(
    scene: Gaussians, cameras: Cameras, outputs: str = "colors alphas depths"
) -> None:
    truth = render_and_gradients(scene, cameras, "reference", torch.float64, outputs)
    fast = render_and_gradients(scene, cameras, "cpu", torch.float32, outputs)
    for expected, value in zip(truth[0], fast[0], strict=True):
        assert (value - expected).abs().max() < 1e-5
    for name, expected, value in zip(FIELDS, truth[1], fast[1], strict=True):
        if not expected.any():
            assert not value.any(), name
            continue
        # the background's is a sum over 1 - alpha: what is left after cancellation
        assert relative_error(value, expected) < (1e-4 if name == "backgrounds" else 2e-5), name


@pytest.mark.parametrize("regime", REGIMES)
def test_images_and_gradients_equal_the_reference(regime):
    scene = random_gaussians(2, 250, seed=len(regime), **REGIMES[regime])
    assert_agrees(scene, random_cameras(2, 53, 37))


@pytest.mark.parametrize("outputs", ["colors", "alphas", "depths"])
def test_the_gradient_through_each_output_alone_is_right(outputs):
    assert_agrees(random_gaussians(1, 150, seed=5), random_cameras(1, 40, 40), outputs)


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_any_number_of_channels_is_blended(channels):
    assert_agrees(random_gaussians(2, 100, seed=6, channels=channels), random_cameras(2, 33, 20))


def test_gradients_are_right_where_the_frustum_clamp_holds():
    scene = random_gaussians(1, 200, seed=8, scale=0.05)
    scene.means[..., :2] *= 6  # many centres beyond the field of view and its margin
    assert_agrees(scene, random_cameras(1, 53, 37))


def test_gradients_are_right_close_to_the_near_plane():
    scene = random_gaussians(1, 200, seed=9, scale=0.005)
    scene.means[..., 2] -= 0.5
    assert_agrees(scene, random_cameras(1, 53, 37))


def test_one_set_seen_by_several_cameras_gathers_the_gradient_of_all():
    scene, cameras = random_gaussians(1, 80, seed=10), random_cameras(3, 33, 20, seed=2)
    assert_agrees(Gaussians(*(value[0] for value in scene)), cameras)


def test_a_full_size_picture_differs_in_isolated_pixels_only():
    """Rounding may flip a decision (alpha < 1/255, T <= 1e-4) in a pixel here and there."""
    scene = random_gaussians(1, 1500, seed=11, opacity=(0.1, 0.99), scale=0.004)
    cameras = random_cameras(1, 256, 256)
    with torch.no_grad():
        truth, _, _ = rasterize(scene, cameras, backend="reference")
        fast, _, _ = rasterize(scene, cameras, backend="cpu")
    error = (fast - truth).abs().amax(-1).flatten().sort().values
    assert error[int(0.999 * len(error))] < 1e-5
    assert error[-1] < 4e-3  # one alpha of 1/255


def test_the_result_is_the_same_to_the_last_bit_on_any_number_of_threads():
    scene = random_gaussians(3, 2000, seed=12)
    cameras = random_cameras(3, 150, 100)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            rendered, gradients = render_and_gradients(
                scene, cameras, "cpu", torch.float32, "colors alphas depths"
            )
            results.append([*rendered, *gradients[:5]])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_callers_on_several_threads_do_not_disturb_each_other():
    scenes = [random_gaussians(2, 500, seed=seed) for seed in range(4)]
    cameras = random_cameras(2, 90, 70)

    def work(scene: Gaussians) -> list[Tensor]:
        return render_and_gradients(scene, cameras, "cpu", torch.float32, "colors")[1][:5]

    alone = [work(scene) for scene in scenes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, scenes * 3))
    for one, other in zip(alone * 3, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_empty_scene_is_the_background():
    scene = random_gaussians(2, 0)
    background = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    colors, alphas, depths = rasterize(scene, random_cameras(2, 20, 18), background, backend="cpu")
    assert torch.equal(colors, background[:, None, None].expand(2, 18, 20, 3))
    assert not alphas.any()
    assert not depths.any()


def test_gaussians_behind_the_camera_or_out_of_sight_are_not_drawn_and_get_no_gradient():
    scene = random_gaussians(1, 50, seed=13)
    scene.means[:, :25, 2] -= 5
    scene.means[:, 25:, 0] += 50
    rendered, gradients = render_and_gradients(
        scene, random_cameras(1, 20, 20), "cpu", torch.float32, "colors alphas depths"
    )
    assert not rendered[1].any()
    assert not any(gradient.any() for gradient in gradients[:5])


@pytest.mark.parametrize("field", Gaussians._fields)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gaussian_with_a_number_that_is_not_finite_is_left_out(field, bad):
    scene = random_gaussians(1, 40, seed=14)
    without = Gaussians(*(value[:, 1:] for value in scene))
    getattr(scene, field)[0, 0, ...] = bad
    cameras = random_cameras(1, 20, 20)
    for backend, dtype in (("cpu", torch.float32), ("reference", torch.float64)):
        rendered, gradients = render_and_gradients(scene, cameras, backend, dtype, "colors")
        expected, _ = render_and_gradients(without, cameras, backend, dtype, "colors")
        assert torch.equal(rendered[0], expected[0])
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_quaternion_of_zeros_and_enormous_scales_do_no_harm():
    scene = random_gaussians(1, 40, seed=15)
    scene.quats[0, 0] = 0
    scene.scales[0, 1] = 1e20
    rendered, gradients = render_and_gradients(
        scene, random_cameras(1, 20, 20), "cpu", torch.float32, "colors alphas depths"
    )
    assert all(torch.isfinite(value).all() for value in (*rendered, *gradients))


def test_one_gaussian_has_the_closed_form_of_its_bell():
    _, alphas, depths = rasterize(single((0, 0, 2), 0.04, 0.8), plain_camera(), backend="cpu")
    offsets = torch.arange(33.0) - 16
    expected = 0.8 * torch.exp(-(offsets**2) / (2 * 4.3))
    expected[expected < 1 / 255] = 0
    torch.testing.assert_close(alphas[0, 16, :, 0], expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(depths, 2 * alphas, rtol=1e-6, atol=1e-6)
