"""What the fit minimises: photometric terms on composited images, and small rules that keep
Gaussians from growing into spikes and floaters where no frame sees them well."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .rasterize.similarity_window import C1, C2, RADIUS, SIGMA


def composite(premultiplied: Tensor, background: Tensor) -> Tensor:
    """Images [B, H, W, 3] in 0..1 of uint8 premultiplied RGBA [B, H, W, 4] over colours [B, 3]."""
    image = premultiplied.float().mul_(1 / 255)
    return image[..., :3] + (1 - image[..., 3:]) * background[:, None, None]


def l1_gradient(
    image: Tensor, target: Tensor, weight: Tensor | None = None
) -> tuple[float, Tensor, float]:
    """Weighted mean absolute error of [B, H, W, 3], its gradient by `image`, and the mean square
    error of every fourth row and column. `weight` [B, H, W] says which pixels matter more.

    The gradient of L1 is a sign: computing it here costs half of what autograd would record.
    """
    error = image - target
    square = float(error[:, ::4, ::4].square().mean())
    if weight is not None:
        # |w e| has the gradient w sign(e), so the weight is applied once, after the sign.
        sign = error.sign().mul_(weight[..., None])
    else:
        sign = error.sign()
    loss = float(torch.dot(error.flatten(), sign.flatten())) / error.numel()
    return loss, sign.mul_(1 / error.numel()), square


def photometric_gradient(
    image: Tensor, target: Tensor, weight: Tensor | None = None, ssim_share: float = 0.0
) -> tuple[float, Tensor, float]:
    """`l1_gradient`, of which 1 - SSIM takes a share: (1 - s) L1 + s (1 - SSIM), the loss of 3D
    Gaussian splatting (Kerbl et al. 2023, eq. 7, s = 0.2)."""
    loss, gradient, square = l1_gradient(image, target, weight)
    if not ssim_share:
        return loss, gradient, square
    alike, slope = ssim_gradient(image, target)
    gradient = gradient.mul_(1 - ssim_share).sub_(slope, alpha=ssim_share)
    return (1 - ssim_share) * loss + ssim_share * (1 - alike), gradient, square


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity [B] of images [B, H, W, 3] in 0..1: Gaussian window 11 x 11, sigma 1.5,
    zero padding, mean over pixels and channels, as in 3D Gaussian splatting and after it."""
    x, y = image.movedim(-1, 1), target.movedim(-1, 1)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return (luminance * structure).flatten(1).mean(1)


def ssim_gradient(image: Tensor, target: Tensor) -> tuple[float, Tensor]:
    """Mean `ssim` of [B, H, W, 3] float32 and its gradient by `image`. On the CPU a kernel of our
    own; elsewhere autograd's."""
    if image.device.type == "cpu":
        from .rasterize.cpu_similarity import similarity_gradient

        return similarity_gradient(image, target)
    with torch.enable_grad():
        seen = image.detach().requires_grad_()
        alike = ssim(seen, target).mean()
        (gradient,) = torch.autograd.grad(alike, seen)
    return float(alike.detach()), gradient


def _blur(planes: Tensor) -> Tensor:
    """Separable Gaussian blur of planes [B, C, H, W]. Two products with band matrices: on a CPU
    twenty times faster than torch's convolutions of single channels."""
    height, width = planes.shape[-2:]
    return _blur_matrix(height, planes) @ planes @ _blur_matrix(width, planes)


def _blur_matrix(size: int, like: Tensor) -> Tensor:
    """[size, size], symmetric: row i weighs the neighbours of i, none beyond the border."""
    position = torch.arange(size, dtype=like.dtype, device=like.device)
    apart = (position[:, None] - position).abs()
    weight = torch.exp(-(apart**2) / (2 * SIGMA**2)) * (apart <= RADIUS)
    whole = torch.arange(-RADIUS, RADIUS + 1, dtype=like.dtype, device=like.device)
    return weight / torch.exp(-(whole**2) / (2 * SIGMA**2)).sum()


@torch.no_grad()
def limit_shapes(log_scales: Tensor, log_limit: Tensor, ratio: float) -> None:
    """Shortens, in place, Gaussians longer than their limit, log metres [N], or longer than `ratio`
    times their middle axis: needles stick out of every silhouette that no frame showed."""
    middle = log_scales.median(dim=-1).values  # [N] of [N, 3]
    longest = torch.minimum(log_limit, middle + math.log(ratio))
    log_scales.copy_(torch.minimum(log_scales, longest[:, None]))


@torch.no_grad()
def limit_colors(colors: Tensor) -> None:
    """Keeps base colours [N, 3], in place, to those that a picture can show."""
    colors.clamp_(0, 1)


def offset_penalty(means: Tensor, limit: Tensor) -> Tensor:
    """Cost of base Gaussians [N, 3] further than `limit` [N] metres from where they are bound, in
    units of the limit: hinge square, mean over Gaussians."""
    distance = (means.square().sum(-1) + 1e-12).sqrt()
    return (distance / limit - 1).relu().square().mean()
