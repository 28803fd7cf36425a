"""What pictures say of each Gaussian of an avatar: its colour, and how far that can be trusted.

A colour is the mean of the pixels that a Gaussian covers, weighted by how much it covers them
(RGBAvatar eq. 3). It is trusted where the surface faces the camera and nothing lies before it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...gaussians import Gaussians
from ...rasterize import splat_weights
from ...restored_avatar import RestoredAvatar
from ..feedforward.views import Views
from .sheet import in_sheet

SLANTED, FACING = 0.08, 0.4
"""Cosines between normal and line of sight from which a colour is trusted at all, and fully."""
SHOWN = 0.3
"""Share of its own pixels that a Gaussian must show to be seen fully."""
INSIDE = 0.9
"""Share of them that must lie within the matte."""


class Sights(NamedTuple):
    """Of N Gaussians, over all views."""

    colours: Tensor  # [N, 3], anything where the trust is 0
    trust: Tensor  # [N] 0..1


@torch.no_grad()
def sights(avatar: RestoredAvatar, views: Views) -> Sights:
    """What the views show of the avatar. A sheet faces every camera: it has no side of its own."""
    colours = torch.zeros_like(avatar.colors)
    weights = torch.zeros_like(avatar.opacities)
    unseen = torch.ones_like(avatar.opacities)
    for number in range(len(views)):
        view = views[[number]]
        colour, trust = _one(avatar, view)
        # A mean over views, the one that looks straightest counting most.
        weight = trust.square() + 1e-4 * trust
        colours += weight[:, None] * colour
        weights += weight
        unseen *= 1 - trust
    return Sights(colours / weights.clamp_min(1e-9)[:, None], 1 - unseen)


def _one(avatar: RestoredAvatar, view: Views) -> tuple[Tensor, Tensor]:
    """Colours [N, 3] and trust [N] of one view."""
    driver = avatar.weights(view.codes)
    gaussians = avatar.gaussians(driver, view.vertices)
    picture = view.pictures
    total, colour = splat_weights(gaussians, view.cameras, picture[..., :3])
    _, matte = splat_weights(gaussians, view.cameras, picture[..., 3:].expand(-1, -1, -1, 3))
    cosine = _cosine(avatar, view)
    cosine[torch.from_numpy(in_sheet(avatar.binding))] = 1
    expected = _pixels(gaussians, view) * cosine
    shown = (total[0] / (SHOWN * expected).clamp_min(1e-3)).clamp(0, 1)
    inside = (matte[0, :, 0] / total[0].clamp_min(1e-6) / INSIDE).clamp(0, 1)
    facing = ((cosine - SLANTED) / (FACING - SLANTED)).clamp(0, 1)
    trust = shown * inside.pow(4) * facing * facing * (3 - 2 * facing)
    return colour[0] / matte[0].clamp_min(1e-6), trust


def _cosine(avatar: RestoredAvatar, view: Views) -> Tensor:
    """Cosines [N] between the surface and the line of sight, 0 where it turns away."""
    frame, _, origin = avatar.surface.frames(view.vertices)
    viewmat = view.cameras.viewmats
    place = (viewmat[:, :3, :3] @ origin.mT).mT + viewmat[:, None, :3, 3]
    normal = (viewmat[:, :3, :3] @ frame[..., 2].mT).mT
    sight = torch.nn.functional.normalize(place, dim=-1)
    return -(normal * sight).sum(-1)[0].clamp_max(0)


def _pixels(gaussians: Gaussians, view: Views) -> Tensor:
    """Pixels [N] that each Gaussian covers where it faces the camera and overlaps its neighbours
    as `start.SIZE` says: spacing squared, twice the product of its longer deviations."""
    longest = gaussians.scales[0].sort(dim=-1).values[:, 1:]  # [N, 2] metres
    viewmat, K = view.cameras.viewmats[0], view.cameras.Ks[0]
    depth = (gaussians.means[0] @ viewmat[2, :3] + viewmat[2, 3]).clamp_min(1e-3)
    return 2 * longest.prod(-1) * (K[0, 0] / depth) ** 2
