"""Colours of what a stream shows only after its first seconds (RGBAvatar eq. 3, once a Gaussian).

What no first frame showed, and nothing near it, is hidden so that it costs nothing; hidden, it has
no gradient either. Here newer frames bring it to light.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..avatar import FittedAvatar
from ..rasterize import splat_weights
from .colour_start import HIDDEN_LOGIT, SEEN
from .training_frames import FrameSlots


def hidden(avatar: FittedAvatar) -> Tensor:
    """Which Gaussians [N] are hidden right after the first colours."""
    return avatar.opacities.detach() <= HIDDEN_LOGIT


@torch.no_grad()
def reveal(avatar: FittedAvatar, frames: FrameSlots, numbers: Tensor, waiting: Tensor) -> Tensor:
    """Gives those of the Gaussians `waiting` [N] (bool) that the frames `numbers` [B] show their
    colour and half opacity. Returns which still wait."""
    numbers = numbers.to(avatar.device)
    posed = avatar.gaussians(None, frames.vertices[numbers])
    posed = posed._replace(opacities=posed.opacities.where(~waiting, 0.5))
    image = frames.pictures(numbers, half=True).to(avatar.device).float() / 255
    cameras = frames.cameras(len(numbers), half=True)
    _, colour = splat_weights(posed, cameras, image[..., :3])
    _, matte = splat_weights(posed, cameras, image[..., 3:].expand(-1, -1, -1, 3))
    inside = matte[..., 0].sum(0)
    found = waiting & (inside > SEEN)
    avatar.colors[found] = colour.sum(0)[found] / inside[found, None]
    avatar.opacities[found] = 0.0
    return waiting & ~found
