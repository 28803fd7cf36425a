"""Gaussians and cameras as torch tensors, with gsplat's names, and the raw block's activation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .api.baked import COLORS, MEANS, OPACITY, QUATS, SCALES


class Gaussians(NamedTuple):
    """Activated Gaussians; any leading batch shape."""

    means: Tensor  # [..., N, 3] metres
    quats: Tensor  # [..., N, 4] w, x, y, z; need not be unit
    scales: Tensor  # [..., N, 3] metres
    opacities: Tensor  # [..., N] 0..1
    colors: Tensor  # [..., N, D] display-referred sRGB when D = 3


class Cameras(NamedTuple):
    """B pinhole cameras of one image size; OpenCV, pixel centres at half integers."""

    viewmats: Tensor  # [B, 4, 4]
    Ks: Tensor  # [B, 3, 3] pixels
    width: int
    height: int


def activate(raw: Tensor) -> Gaussians:
    """Gaussians of a raw block [..., N, 11 + D]: exp of scales, sigmoid of opacity, unit quats."""
    return Gaussians(
        means=raw[..., MEANS],
        quats=torch.nn.functional.normalize(raw[..., QUATS], dim=-1),
        scales=raw[..., SCALES].exp(),
        opacities=raw[..., OPACITY].sigmoid(),
        colors=raw[..., COLORS],
    )
