"""Fusion of frames' Gaussians into one avatar (paper 002 eq. 3), and which of them stay."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import gumbel_softmax

from ...api.baked import OPACITY, Binding
from ...api.head import HeadModel
from ..feedforward.regressed import RegressedAvatar
from .gaussian_head import FrameGaussians
from .points import HeadPoints

FAINTEST = 1e-6
"""Opacity that stands for none, where a gradient must pass."""


def keep_probability(importance: Tensor) -> Tensor:
    """Chance of staying of logits."""
    return importance.sigmoid()


def drawn_masks(importance: Tensor) -> Tensor:
    """0 or 1 for each Gaussian, drawn by Gumbel-softmax over staying and going; the gradient is the
    soft sample's (Jang et al. 2017)."""
    pair = torch.stack([importance, torch.zeros_like(importance)], dim=-1)
    return gumbel_softmax(pair, hard=True)[..., 0]


def kept(importance: Tensor) -> Tensor:
    """Which of the Gaussians [F, N] of F frames stay at inference, bool: what is more likely to
    stay than to go, and every point's best, so that nothing is left open. Nothing is drawn."""
    best = torch.zeros_like(importance, dtype=torch.bool)
    best.scatter_(0, importance.argmax(0, keepdim=True), True)
    return best | (importance > 0)


def fused(
    head: HeadModel, points: HeadPoints, gaussians: FrameGaussians, staying: Tensor
) -> RegressedAvatar:
    """One avatar of the Gaussians of all frames that stay, [F, N] bool."""
    frame, point = staying.nonzero(as_tuple=True)
    return RegressedAvatar(head, _bound(points.binding, point), gaussians.raw[frame, point])


def masked(
    head: HeadModel, points: HeadPoints, gaussians: FrameGaussians, masks: Tensor
) -> RegressedAvatar:
    """One avatar of the Gaussians of all frames, their opacities times masks [F, N]: what training
    renders, so that the masks learn."""
    raw = gaussians.raw
    opacity = (raw[..., OPACITY].sigmoid() * masks).clamp(FAINTEST, 1 - FAINTEST)
    parts = [raw[..., :OPACITY], opacity.logit()[..., None], raw[..., OPACITY + 1 :]]
    point = torch.arange(raw.shape[1]).repeat(len(raw))
    return RegressedAvatar(
        head, _bound(points.binding, point), torch.cat(parts, dim=-1).flatten(0, 1)
    )


def _bound(binding: Binding, point: Tensor) -> Binding:
    index: np.ndarray = point.cpu().numpy()
    return Binding(binding.face[index], binding.barycentric[index], binding.tangent[index])
