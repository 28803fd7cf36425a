"""First colours straight from the footage (RGBAvatar eq. 3): no gradient descent, one pass.

A Gaussian's colour is the mean of the pixels it covers, weighted by how much it covers them. What
no frame shows borrows from the nearest seen surface, its mirror image included, so that a side
never filmed is skin and hair rather than a hole.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree

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


def start_colours(avatar: BlendshapeAvatar, frames: TrainingFrames) -> None:
    """Sets the base colours of the avatar, and its opacities from how often a Gaussian falls on
    the matte's inside."""
    picked = np.unique(np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int))
    coloured = torch.zeros_like(avatar.colors)
    inside, covered = torch.zeros_like(avatar.opacities), torch.zeros_like(avatar.opacities)
    for start in range(0, len(picked), BATCH):
        chunk = torch.from_numpy(picked[start : start + BATCH]).to(avatar.device)
        with torch.no_grad():
            gaussians = avatar.gaussians(None, frames.vertices[chunk])
        image = frames.pictures(half=True)[chunk].float() / 255
        cameras = frames.cameras(len(chunk), half=True)
        weight, colour = splat_weights(gaussians, cameras, image[..., :3])
        _, matte = splat_weights(gaussians, cameras, image[..., 3:].expand(-1, -1, -1, 3))
        coloured += colour.sum(0)
        covered += weight.sum(0)
        inside += matte[..., 0].sum(0)
    seen = inside > SEEN
    colour = coloured / inside.clamp_min(1e-6)[:, None]
    with torch.no_grad():
        share = (inside / covered.clamp_min(1e-6)).clamp(0.05, 0.95)
        avatar.colors.copy_(colour)
        avatar.opacities.copy_(torch.where(covered > SEEN, share, 0.5).logit())
        _borrow(avatar, seen.cpu().numpy())


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
    colours = avatar.colors.detach().cpu().numpy()
    share = 1 / (distance + 1e-4)
    share /= share.sum(1, keepdims=True)
    colours[~seen] = np.einsum("nk,nkc->nc", share, colours[seen][index])
    opacities = avatar.opacities.detach().cpu().numpy()
    unreachable = np.flatnonzero(~seen)[distance[:, 0] > FAR]
    opacities[unreachable] = HIDDEN_LOGIT
    avatar.colors.copy_(torch.from_numpy(colours))
    avatar.opacities.copy_(torch.from_numpy(opacities))
