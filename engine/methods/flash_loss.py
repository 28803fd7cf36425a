"""FlashAvatar's losses (paper 001 eq. 7 to 9): Huber, the mouth forty times over, and perception.

Everything is divided by the Huber threshold, so that large errors have the gradient of L1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..losses import ssim_gradient
from ..perception import perceptual_network

THRESHOLD = 0.1
"""Delta of eq. 7."""
SSIM_SHARE = 4.0
"""1 - SSIM stands in for LPIPS with this much of its weight: 0.2, as in 3D Gaussian splatting."""


def huber_gradient(
    image: Tensor, target: Tensor, weight: Tensor | None = None
) -> tuple[float, Tensor, float]:
    """Weighted Huber loss of [B, H, W, 3], its gradient by `image`, and the mean square error of
    every fourth row and column. `weight` [B, H, W] holds eq. 8: one, and more on the mouth."""
    error = image - target
    square = float(error[:, ::4, ::4].square().mean())
    clipped = error.clamp(-THRESHOLD, THRESHOLD)
    gradient = clipped if weight is None else clipped * weight[..., None]
    cost = torch.dot((error - clipped / 2).flatten(), gradient.flatten())
    scale = 1 / (THRESHOLD * error.numel())
    return float(cost) * scale, gradient * scale, square


def perceptual_gradient(
    image: Tensor, target: Tensor, lpips_window: float, generator: torch.Generator
) -> Tensor:
    """Gradient by images [B, H, W, 3] of LPIPS-VGG in a random window, `lpips_window` of the side,
    where its weights are installed, else of 1 - SSIM of the whole; mean over B."""
    network = perceptual_network(image.device)
    if network is None:
        return ssim_gradient(image, target)[1].mul_(-SSIM_SHARE)
    rows, columns = _window(image.shape[1], lpips_window, generator)
    with torch.enable_grad():
        seen = image.detach().requires_grad_()
        pair = [one[:, rows, columns].movedim(-1, 1) * 2 - 1 for one in (seen, target)]
        cost = network(*pair).mean() / THRESHOLD * lpips_window**2
        (gradient,) = torch.autograd.grad(cost, seen)
    return gradient


def _window(size: int, share: float, generator: torch.Generator) -> tuple[slice, slice]:
    """A random square of `share` of the side of a size x size image: rows, columns."""
    side = max(16, round(size * share))
    if side >= size:
        return slice(0, size), slice(0, size)
    top, left = torch.randint(0, size - side + 1, (2,), generator=generator).tolist()
    return slice(top, top + side), slice(left, left + side)
