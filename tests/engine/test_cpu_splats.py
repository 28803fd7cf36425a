"""Blender's NumPy rasteriser draws what the avatar engine fitted: same semantics, same pixels."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.gaussians import Cameras, Gaussians
from engine.rasterize import rasterize, semantics

WIDTH, HEIGHT = 53, 37


@pytest.fixture(scope="module")
def cpu_splats():
    """The module under test needs the package above `engine`, which an installed extension has."""
    name = "likeness_checkout"
    package = types.ModuleType(name)
    package.__path__ = [str(Path(__file__).parents[2])]
    sys.modules[name] = package
    return importlib.import_module(f"{name}.blender_addon.cpu_splats")


def scene(seed: int, count: int = 300, spread: float = 0.05) -> dict[str, np.ndarray]:
    """Random Gaussians 1 m in front of an OpenCV camera at the origin.

    Few are so far outside the image that the engine limits their Jacobian; Blender's side does not.
    """
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    return {
        "means": rng.normal(size=(count, 3)) * spread + [0, 0, 1],
        "quats": quats / np.linalg.norm(quats, axis=1, keepdims=True),
        "scales": np.exp(rng.normal(-4.5, 0.7, (count, 3))),
        "opacities": rng.uniform(0.001, 0.9999, count),
        "colors": rng.uniform(0, 1, (count, 3)),
    }


def blender_view(cpu_splats, K: np.ndarray):
    """The view of a Blender camera that films what an OpenCV camera at the origin does."""
    window = np.zeros((4, 4))
    window[0, 0], window[0, 2] = 2 * K[0, 0] / WIDTH, 1 - 2 * K[0, 2] / WIDTH
    window[1, 1], window[1, 2] = 2 * K[1, 1] / HEIGHT, 2 * K[1, 2] / HEIGHT - 1
    window[2, 2] = window[3, 2] = -1
    return cpu_splats.View(np.diag([1.0, -1, -1, 1]), window, WIDTH, HEIGHT)


@pytest.mark.parametrize("seed", range(3))
def test_pixels_equal_the_engines_reference(cpu_splats, seed):
    K = np.array([[120.0, 0, 30.5], [0, 110.0, 17.0], [0, 0, 1]])
    arrays = scene(seed)
    colors, alphas, _ = rasterize(
        Gaussians(*(torch.from_numpy(arrays[name]) for name in Gaussians._fields)),
        Cameras(torch.eye(4).double()[None], torch.from_numpy(K)[None], WIDTH, HEIGHT),
        backend="reference",
    )
    expected = torch.cat([colors, alphas], -1)[0].numpy()
    image = cpu_splats.rasterize(
        cpu_splats.GaussianArrays(**arrays), blender_view(cpu_splats, K), sharpness=50.0
    )
    assert expected[..., 3].max() > 0.99
    np.testing.assert_allclose(image.color[::-1], expected, atol=1e-5)


def test_constants_are_the_engines(cpu_splats):
    for name in ("BLUR", "MAX_ALPHA", "MIN_ALPHA", "NEAR"):
        assert getattr(cpu_splats, name) == pytest.approx(getattr(semantics, name))
    assert cpu_splats.MIN_TRANSMITTANCE == semantics.STOP


def test_chunks_do_not_change_the_picture(cpu_splats, monkeypatch):
    K = np.array([[120.0, 0, 26.5], [0, 120.0, 18.5], [0, 0, 1]])
    gaussians = cpu_splats.GaussianArrays(**scene(3))
    view = blender_view(cpu_splats, K)
    whole = cpu_splats.rasterize(gaussians, view, sharpness=50.0)
    monkeypatch.setattr(cpu_splats, "_FRAGMENTS_PER_CHUNK", 200)
    parts = cpu_splats.rasterize(gaussians, view, sharpness=50.0)
    np.testing.assert_allclose(parts.color, whole.color, atol=1e-5)
    np.testing.assert_allclose(parts.depth, whole.depth, rtol=1e-5)


def test_soft_front_depth_lies_at_the_first_surface_of_two(cpu_splats):
    K = np.array([[120.0, 0, 26.5], [0, 120.0, 18.5], [0, 0, 1]])
    arrays = scene(4, count=2)
    arrays["means"] = np.array([[0, 0, 1.0], [0, 0, 1.08]])
    arrays["scales"] = np.full((2, 3), 0.2)
    arrays["opacities"] = np.array([0.6, 0.9])
    centre = (HEIGHT // 2, WIDTH // 2)
    view = blender_view(cpu_splats, K)

    def depth(sharpness):
        image = cpu_splats.rasterize(cpu_splats.GaussianArrays(**arrays), view, sharpness)
        return image.depth[centre]

    weights = np.array([0.6, 0.4 * 0.9])
    mean = weights @ [1.0, 1.08] / weights.sum()
    assert depth(1e-3) == pytest.approx(mean, abs=2e-3)
    assert depth(200.0) == pytest.approx(1.0, abs=4e-3)


def test_a_head_far_behind_another_keeps_its_depth(cpu_splats):
    K = np.array([[120.0, 0, 26.5], [0, 120.0, 18.5], [0, 0, 1]])
    arrays = scene(4, count=2)
    arrays["means"] = np.array([[-0.1, 0, 1.0], [0.5, 0, 4.0]])
    arrays["scales"] = np.full((2, 3), 0.02)
    arrays["opacities"] = np.array([0.9, 0.9])
    gaussians = cpu_splats.GaussianArrays(**arrays)
    depth = cpu_splats.rasterize(gaussians, blender_view(cpu_splats, K), 200.0).depth
    near, far = (int(120 * x / z + 26.5) for x, z in ((-0.1, 1.0), (0.5, 4.0)))
    assert depth[HEIGHT // 2, near] == pytest.approx(1.0, abs=1e-3)
    assert depth[HEIGHT // 2, far] == pytest.approx(4.0, abs=1e-3)


def test_a_closer_view_keeps_the_width_that_training_gave(cpu_splats):
    """A point blurred by 0.3 px^2 at f = 100 is four times as wide in pixels at f = 400."""
    arrays = scene(5, count=1)
    arrays["means"], arrays["opacities"] = np.array([[0, 0, 1.0]]), np.array([0.9])
    arrays["scales"] = np.full((1, 3), 1e-6)
    K = np.array([[400.0, 0, 26.5], [0, 400.0, 18.5], [0, 0, 1]])
    gaussians, view = cpu_splats.GaussianArrays(**arrays), blender_view(cpu_splats, K)
    footprint = 0.3 / 100**2  # m^2 at 1 m
    row = cpu_splats.rasterize(gaussians, view, 50.0, footprint).color[HEIGHT // 2, :, 3]
    offsets = np.arange(WIDTH) + 0.5 - 26.5
    expected = 0.9 * np.exp(-0.5 * offsets**2 / (0.3 * 4**2))
    expected[expected < 1 / 255] = 0
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_nothing_in_view_is_an_empty_layer(cpu_splats):
    arrays = scene(6)
    arrays["means"][:, 2] *= -1
    K = np.array([[120.0, 0, 26.5], [0, 120.0, 18.5], [0, 0, 1]])
    gaussians = cpu_splats.GaussianArrays(**arrays)
    image = cpu_splats.rasterize(gaussians, blender_view(cpu_splats, K), sharpness=50.0)
    assert not image.color.any()
    assert (image.depth == cpu_splats.EMPTY_DEPTH).all()
