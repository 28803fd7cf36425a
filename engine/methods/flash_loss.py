"""FlashAvatar's losses (paper 001 eq. 7 to 9): Huber, the mouth forty times over, and perception.

Everything is divided by the Huber threshold, so that large errors have the gradient of L1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..losses import ssim
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


def window(size: int, share: float, generator: torch.Generator) -> tuple[slice, slice]:
    """A random square of `share` of the side of a size x size image: rows, columns."""
    side = max(16, round(size * share))
    if side >= size:
        return slice(0, size), slice(0, size)
    top, left = torch.randint(0, size - side + 1, (2,), generator=generator).tolist()
    return slice(top, top + side), slice(left, left + side)


def perceptual_loss(image: Tensor, target: Tensor) -> Tensor:
    """LPIPS-VGG of [B, H, W, 3] where its weights are installed, else 1 - SSIM; mean over B."""
    network = perceptual_network(image.device)
    if network is None:
        return SSIM_SHARE * (1 - ssim(image, target).mean())
    pair = [one.movedim(-1, 1) * 2 - 1 for one in (image, target)]
    return network(*pair).mean() / THRESHOLD
