"""Random small scenes, in double precision, for the rasteriser's tests."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.gaussians import Cameras, Gaussians


def random_cameras(images: int, width: int, height: int, seed: int = 0) -> Cameras:
    """Slightly turned cameras 0.6 m in front of the origin, off-centre, fx different from fy."""
    random = torch.Generator().manual_seed(seed)
    turned = torch.eye(3) + 0.1 * torch.randn(images, 3, 3, generator=random)
    viewmats = torch.eye(4, dtype=torch.float64).repeat(images, 1, 1)
    viewmats[:, :3, :3] = torch.linalg.qr(turned.double())[0]
    viewmats[:, :3, :3] *= torch.linalg.det(viewmats[:, :3, :3])[:, None, None]
    viewmats[:, 2, :2] *= viewmats[:, 2, 2:3].sign()
    viewmats[:, :3, 3] = torch.tensor([0.01, -0.02, 0.6])
    K = torch.tensor([[1.4 * width, 0, 0.48 * width], [0, 1.5 * width, 0.53 * height], [0, 0, 1]])
    return Cameras(viewmats, K.double().repeat(images, 1, 1), width, height)


def random_gaussians(
    images: int,
    count: int,
    seed: int = 0,
    opacity: tuple[float, float] = (0.02, 0.9),
    scale: float = 0.01,
    channels: int = 3,
) -> Gaussians:
    """Gaussians of every orientation within about 10 cm of the origin, different in every image."""
    random = torch.Generator().manual_seed(seed)
    low, high = opacity

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    return Gaussians(
        means=0.1 * normal(images, count, 3),
        quats=normal(images, count, 4),
        scales=scale * torch.exp(0.5 * normal(images, count, 3)),
        opacities=low + (high - low) * torch.rand(images, count, generator=random).double(),
        colors=torch.rand(images, count, channels, generator=random).double(),
    )


def single(mean: tuple[float, float, float], sigma: float, opacity: float) -> Gaussians:
    """One round white Gaussian, without batch dimension."""
    return Gaussians(
        means=torch.tensor([mean], dtype=torch.float64),
        quats=torch.tensor([[1.0, 0, 0, 0]], dtype=torch.float64),
        scales=torch.full((1, 3), sigma, dtype=torch.float64),
        opacities=torch.tensor([opacity], dtype=torch.float64),
        colors=torch.ones(1, 3, dtype=torch.float64),
    )


def plain_camera(size: int = 33, focal: float = 100.0) -> Cameras:
    """A camera at the origin that looks along z, its axis through the middle pixel's centre."""
    K = torch.tensor([[[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]])
    return Cameras(torch.eye(4).double()[None], K.double(), size, size)


def relative_error(value: Tensor, truth: Tensor) -> float:
    """Relative L2 distance."""
    return float((value.double() - truth).norm() / truth.norm())
