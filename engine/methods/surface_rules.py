"""Rules that keep an avatar whole where no camera stood: beside the head, above it, below it.

A picture says where a Gaussian lies across the line of sight, not how deep, how long along it, or
how opaque behind others. Left alone these drift at random, and nobody sees it before the camera
moves: specks, holes, skin on the back of the head. Each rule is far weaker than what a frame says.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..avatar import FittedAvatar
from ..losses import offset_penalty
from .region_priors import RegionPriors
from .training_frames import FrameSlots

FAR_WEIGHT = 0.1
"""Of the distance beyond the region's limit, in units of the limit."""
PULL_WEIGHT, PIXELS = 0.1, 6.0
"""Of any distance, in the same units, or in so many pixels where those are coarser."""
SHAPE_WEIGHT = 0.01
"""Of log scales off the size that just closes the surface."""
SOLID_WEIGHT = 0.01
"""Of what skin lets through."""
GUESS_WEIGHT, DOUBT = 0.4, 0.2
"""Of colours off the first ones, as far as those are guessed; at least so much of every colour is:
what hardly shows turns neon otherwise."""


@dataclass(frozen=True)
class SurfaceRules:
    """What is known of the N Gaussians beside the footage; fixed while an avatar is fitted."""

    offset_limit: Tensor  # [N] metres
    near: Tensor  # [N] metres: the unit of the pull
    solid: Tensor  # [N] 1 where the head is covered by skin, else 0
    closing: Tensor  # [N] log metres of a scale that closes the surface
    guess: Tensor  # [N, 3] colours before the fit
    guessed: Tensor  # [N] 0..1: how little the frames say of them

    def cost(self, avatar: FittedAvatar) -> Tensor:
        """Mean over the Gaussians, a scalar."""
        distance = avatar.means.square().sum(-1) / self.near.square()
        shape = (avatar.scales - self.closing[:, None]).square().mean()
        through = (self.solid * (1 - avatar.opacities.sigmoid())).mean()
        off = (avatar.colors - self.guess).square().sum(-1)
        return (
            FAR_WEIGHT * offset_penalty(avatar.means, self.offset_limit)
            + PULL_WEIGHT * distance.mean()
            + SHAPE_WEIGHT * shape
            + SOLID_WEIGHT * through
            + GUESS_WEIGHT * (self.guessed * off).mean() / 3
        )


def surface_rules(
    avatar: FittedAvatar, frames: FrameSlots, priors: RegionPriors, guessed: Tensor
) -> SurfaceRules:
    """The rules for an avatar that has its first sizes and colours and has learned nothing yet."""
    offset_limit = torch.from_numpy(priors.offset_limit).to(avatar.device)
    pixel = float(frames.vertices[0].mean(0).norm() / frames.K[0, 0])  # metres at the head
    return SurfaceRules(
        offset_limit=offset_limit,
        near=offset_limit.clamp_min(PIXELS * pixel),
        solid=torch.from_numpy(priors.solid).to(avatar.device),
        closing=avatar.scales.detach()[:, 0].clone(),
        guess=avatar.colors.detach().clone(),
        guessed=guessed.clamp_min(DOUBT),
    )
