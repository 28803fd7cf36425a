"""Choosing a backend, refusing what does not fit, and the weights that initialise colours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import engine.rasterize as rasterizing
from engine.api.errors import DeviceError
from engine.gaussians import Gaussians
from engine.rasterize import backends_available, choose_backend, rasterize, splat_weights
from tests.engine.rasterize_scenes import random_cameras, random_gaussians

ROOT = Path(__file__).parents[2]


def test_the_reference_is_always_available_and_the_cpu_uses_the_fast_kernels():
    assert backends_available()[-1] == "reference"
    assert choose_backend("cpu") == "cpu"


def test_without_numba_the_cpu_falls_back_to_the_reference(monkeypatch):
    monkeypatch.setattr(rasterizing, "backends_available", lambda: ("reference",))
    assert choose_backend("cpu") == "reference"
    with pytest.raises(DeviceError, match="'cpu' is not available"):
        rasterize(random_gaussians(1, 3), random_cameras(1, 8, 8), backend="cpu")


def test_a_cuda_device_without_gsplat_is_refused_with_advice(monkeypatch):
    monkeypatch.setattr(rasterizing, "backends_available", lambda: ("cpu", "reference"))
    with pytest.raises(DeviceError) as caught:
        choose_backend("cuda")
    assert "Install gsplat" in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_forcing_gsplat_without_a_gpu_is_refused():
    with pytest.raises(DeviceError, match="'gsplat' is not available"):
        rasterize(random_gaussians(1, 3), random_cameras(1, 8, 8), backend="gsplat")


def test_an_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(DeviceError, match="gsplat, cpu, reference"):
        rasterize(random_gaussians(1, 3), random_cameras(1, 8, 8), backend="vulkan")


def test_fields_that_do_not_fit_together_are_named():
    scene, cameras = random_gaussians(2, 5), random_cameras(2, 8, 8)
    with pytest.raises(ValueError, match=r"scales have shape \(2, 4, 3\), expected \(2, 5, 3\)"):
        rasterize(scene._replace(scales=scene.scales[:, :4]), cameras)
    with pytest.raises(ValueError, match="means have shape"):
        rasterize(random_gaussians(3, 5), cameras)
    with pytest.raises(ValueError, match="backgrounds have shape"):
        rasterize(scene, cameras, torch.zeros(3))


def test_only_the_chosen_backend_is_loaded():
    """`import engine.rasterize` must stay instant: numba alone takes half a second."""
    code = "import sys, engine.rasterize; print('numba' in sys.modules, 'gsplat' in sys.modules)"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_kernels_compile_where_nothing_can_be_cached(tmp_path):
    """As in an installation that is read-only and a home that is no folder."""
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    code = (
        "from numba.core import caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from engine import jit\n"
        "import numpy as np\n"
        "def one(a):\n    a[0] = 1\n"
        "a = np.zeros(1)\n"
        "jit.kernel('void(float64[::1])', jit.EXACT_MATH)(one)(a)\n"
        "print(a[0])"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1.0"


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_splat_weights_are_the_shares_of_each_gaussian_in_each_picture(backend):
    scene, cameras = random_gaussians(2, 12, seed=4, scale=0.03), random_cameras(2, 21, 17)
    images = torch.rand(2, 17, 21, 3, dtype=torch.float64)
    weights, colors = splat_weights(scene, cameras, images, backend)
    for i in range(12):  # a picture in which only this Gaussian is white shows its weights
        lit = torch.zeros(2, 12, 3, dtype=torch.float64)
        lit[:, i] = 1
        share = rasterize(scene._replace(colors=lit), cameras, backend="reference")[0]
        torch.testing.assert_close(
            weights[:, i].double(), share[..., 0].sum((1, 2)), rtol=1e-4, atol=1e-5
        )
        expected = (share * images).sum((1, 2))
        torch.testing.assert_close(colors[:, i].double(), expected, rtol=1e-4, atol=1e-5)


def test_splat_weights_recover_the_colours_of_separate_gaussians():
    """The initialisation of RGBAvatar eq. 3 is exact where Gaussians do not overlap."""
    scene = random_gaussians(1, 4, seed=1, opacity=(0.8, 0.9), scale=0.003)
    corners = torch.tensor([[-1, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]])
    scene = Gaussians(0.08 * corners.double()[None], *scene[1:])
    cameras = random_cameras(1, 64, 64)
    picture, alphas, _ = rasterize(scene, cameras)
    straight = torch.where(alphas > 0, picture / alphas.clamp(min=1e-6), 0)
    weights, colors = splat_weights(scene, cameras, straight)
    torch.testing.assert_close(
        (colors / weights[..., None]).double(), scene.colors, rtol=1e-4, atol=1e-4
    )
