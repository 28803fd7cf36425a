"""What every backend agrees on: the constants of gsplat 1.5.3's classic pinhole rasteriser.

A Gaussian's alpha at a pixel is min(MAX_ALPHA, opacity * exp(-sigma)); alphas below MIN_ALPHA count
as nothing; a pixel ends *before* the Gaussian that would bring its transmittance to STOP or below.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..gaussians import Gaussians

BLUR = 0.3  # px^2, added to both diagonal entries of every 2D covariance
MAX_ALPHA = 0.999
MIN_ALPHA = 1 / 255
STOP = 1e-4
NEAR = 0.01  # metres of camera z; nearer Gaussians are dropped
FAR = 1e10
FRUSTUM_MARGIN = 0.3  # of half the field of view; beyond it the Jacobian is that of the margin


def drop_nonfinite(gaussians: Gaussians) -> Gaussians:
    """The same Gaussians; those with a NaN, an infinity or a zero quaternion made invisible."""
    finite = gaussians.quats.square().sum(-1) > 0
    for value in gaussians:
        per_gaussian = torch.isfinite(value)
        finite = finite & (per_gaussian if value is gaussians.opacities else per_gaussian.all(-1))

    def kept(value: Tensor, instead: float) -> Tensor:
        mask = finite if value is gaussians.opacities else finite[..., None]
        return torch.where(mask, value, torch.full_like(value, instead))

    return Gaussians(
        means=kept(gaussians.means, 0.0),
        quats=kept(gaussians.quats, 1.0),
        scales=kept(gaussians.scales, 1.0),
        opacities=kept(gaussians.opacities, 0.0),
        colors=kept(gaussians.colors, 0.0),
    )
