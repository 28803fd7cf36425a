"""Terms that compare rendered with true pictures, as the feed-forward papers name them."""

from __future__ import annotations

import torch
from torch import Tensor

from ...losses import ssim
from ...perception import perceptual_network
from .views import Views

SOLID = 0.5
"""Alpha from which a pixel's depth is its own, not a border's mixture."""
BACKGROUNDS = (0.0, 0.5, 1.0)
"""Black, grey and white (paper 002, C.1)."""


def over(colors: Tensor, alphas: Tensor, background: Tensor) -> Tensor:
    """Premultiplied pictures [V, H, W, 3] with alphas [V, H, W, 1] over colours [V, 3]."""
    return colors + (1 - alphas) * background[:, None, None]


def random_backgrounds(views: Views) -> Tensor:
    """One of BACKGROUNDS for each view, [V, 3]."""
    grey = views.pictures.new_tensor(BACKGROUNDS)
    return grey[torch.randint(len(BACKGROUNDS), (len(views), 1)).to(grey.device)].expand(-1, 3)


def photometric(image: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """L1, 1 - SSIM and, where its weights are installed, LPIPS-VGG of pictures [V, H, W, 3]."""
    terms = {"l1": (image - truth).abs().mean(), "ssim": 1 - ssim(image, truth).mean()}
    network = perceptual_network(image.device)
    if network is not None:
        pair = [one.movedim(-1, 1) * 2 - 1 for one in (image, truth)]
        terms["perceptual"] = network(*pair).mean()
    return terms


def silhouette(alphas: Tensor, views: Views) -> Tensor:
    """L1 of rendered alphas [V, H, W, 1] and the mattes (paper 003, eq. 6)."""
    return (alphas - views.pictures[..., 3:]).abs().mean()


def depth_error(depths: Tensor, alphas: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference in metres of accumulated depths [V, H, W, 1] from true ones
    [V, H, W], 0 where none is known, over the pixels that both fill (paper 003, eq. 7)."""
    both = (truth > 0) & truth.isfinite() & (alphas[..., 0] > SOLID)
    own = depths[..., 0] / alphas[..., 0].clamp_min(SOLID)
    difference = torch.where(both, own - torch.where(both, truth, 0.0), 0.0)
    return difference.abs().sum() / both.sum().clamp_min(1)


def weighted(
    terms: dict[str, Tensor], weights: dict[str, float]
) -> tuple[Tensor, dict[str, float]]:
    """The sum of the terms by their weights, and the terms as numbers."""
    total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
    return total, {name: float(term.detach()) for name, term in terms.items()}
