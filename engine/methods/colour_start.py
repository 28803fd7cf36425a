"""First colours straight from the footage (RGBAvatar eq. 3): no gradient descent, one pass.

A Gaussian's colour is the mean of the pixels it covers, weighted by how much it covers them. What
no frame shows borrows from the nearest seen surface, its mirror image included, so that a side
never filmed is skin and hair rather than a hole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from ..avatar import BlendshapeAvatar
from ..rasterize import splat_weights
from .training_frames import TrainingFrames

SAMPLES = 24
SEEN = 0.1
"""Sum of blend weights over the samples from which a Gaussian counts as seen (the code's 0.1)."""
BATCH = 4
BORROW_FROM = 4
FAR = 0.03
"""Metres to the nearest seen surface beyond which nothing is borrowed: inside, behind, below."""
HIDDEN_LOGIT = -9.0
"""Opacity logit of what is never seen and too far to borrow: under one level of 255."""


class Shown(NamedTuple):
    """What sample frames show of each Gaussian, sums over pixels of its blend weight."""

    total: Tensor  # [N] of the weight
    matte: Tensor  # [N] of weight x matte
    colour: Tensor  # [N, 3] of weight x matte x pixel


def shown(avatar: BlendshapeAvatar, frames: TrainingFrames) -> Shown:
    """What frames spread over the clip show of the base Gaussians, at half size."""
    picked = np.unique(np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int))
    none = torch.zeros_like(avatar.opacities)
    sums = Shown(none, none.clone(), torch.zeros_like(avatar.colors))
    for start in range(0, len(picked), BATCH):
        chunk = torch.from_numpy(picked[start : start + BATCH]).to(avatar.device)
        with torch.no_grad():
            gaussians = avatar.gaussians(None, frames.vertices[chunk])
        image = frames.pictures(half=True)[chunk].float() / 255
        cameras = frames.cameras(len(chunk), half=True)
        weight, colour = splat_weights(gaussians, cameras, image[..., :3])
        _, matte = splat_weights(gaussians, cameras, image[..., 3:].expand(-1, -1, -1, 3))
        sums.total.add_(weight.sum(0))
        sums.matte.add_(matte[..., 0].sum(0))
        sums.colour.add_(colour.sum(0))
    return sums


@torch.no_grad()
def start_colours(avatar: BlendshapeAvatar, frames: TrainingFrames) -> None:
    """Sets the base colours, and opacities by how often a Gaussian falls inside the matte."""
    sums = shown(avatar, frames)
    share = (sums.matte / sums.total.clamp_min(1e-6)).clamp(0.05, 0.95)
    avatar.colors.copy_(sums.colour / sums.matte.clamp_min(1e-6)[:, None])
    avatar.opacities.copy_(torch.where(sums.total > SEEN, share, 0.5).logit())
    _borrow(avatar, (sums.matte > SEEN).cpu().numpy())


@torch.no_grad()
def finish_unseen(avatar: BlendshapeAvatar, frames: TrainingFrames) -> None:
    """Gives what no frame ever showed the fitted colours of its surroundings."""
    _borrow(avatar, (shown(avatar, frames).total > SEEN).cpu().numpy())


def _borrow(avatar: BlendshapeAvatar, seen: np.ndarray) -> None:
    """Fills the colours of unseen Gaussians from seen ones nearby, or mirrored and nearby."""
    if seen.all() or not seen.any():
        return
    corners = avatar.head.vertices[avatar.head.faces[avatar.binding.face]]
    place = np.einsum("nk,nkc->nc", avatar.binding.barycentric, corners)
    sources = np.concatenate([place[seen], place[seen] * [-1, 1, 1]])
    near = min(BORROW_FROM, len(sources))
    distance, index = cKDTree(sources).query(place[~seen], k=near)
    distance, index = distance.reshape(-1, near), index.reshape(-1, near) % int(seen.sum())
    share = 1 / (distance + 1e-4)
    share /= share.sum(1, keepdims=True)
    colours = avatar.colors.cpu().numpy()
    borrowed = np.einsum("nk,nkc->nc", share, colours[seen][index])
    unseen = torch.from_numpy(np.flatnonzero(~seen)).to(avatar.device)
    avatar.colors[unseen] = torch.from_numpy(borrowed).to(avatar.colors)
    unreachable = torch.from_numpy(distance[:, 0] > FAR).to(avatar.device)
    avatar.opacities[unseen[unreachable]] = HIDDEN_LOGIT
