"""A short fit of a baked avatar's learned Gaussians to its footage, after some were left out."""

from __future__ import annotations

import numpy as np
import torch

from ..clip import TrackedClip
from ..losses import composite, l1_gradient
from ..progress import Tick
from ..rasterize import rasterize
from ..restored_avatar import RestoredAvatar
from .optimisation import EPSILON, PAPER_BATCH, POSITION_FIRST, RATES
from .training_frames import FrameQueue, TrainingFrames

BATCH = 4
SHARE = 0.3
"""Of RGBAvatar's first rates: nothing has to be found anew."""


def refine(
    avatar: RestoredAvatar,
    clip: TrackedClip,
    train_frames: np.ndarray,
    images: int,
    device: torch.device,
    tick: Tick,
) -> None:
    """Fits the avatar, in place, to `images` of the clip's frames. Raises FootageError."""
    avatar.to(device)
    frames = TrainingFrames(clip, train_frames, clip.camera.width, device)
    generator = torch.Generator().manual_seed(0)
    queue = FrameQueue(len(frames), generator)
    weights = avatar.weights(frames.codes)
    optimiser = _optimiser(avatar)
    first = [group["lr"] for group in optimiser.param_groups]
    for seen in range(0, images, BATCH):
        tick(seen / images)
        for group, rate in zip(optimiser.param_groups, first, strict=True):
            group["lr"] = rate * (1 - seen / images)
        batch = queue.take(BATCH)
        background = torch.rand((BATCH, 3), generator=generator).to(device)
        batch = batch.to(device)
        gaussians = avatar.gaussians(weights[batch], frames.vertices[batch])
        image, _, _ = rasterize(gaussians, frames.cameras(BATCH, half=False), background)
        target = composite(frames.pictures(batch, half=False), background)
        _, gradient, _ = l1_gradient(image.detach(), target)
        optimiser.zero_grad()
        torch.autograd.backward(image, gradient)
        optimiser.step()


def _optimiser(avatar: RestoredAvatar) -> torch.optim.Adam:
    scale = SHARE * BATCH / PAPER_BATCH
    rates = {**RATES, "means": POSITION_FIRST}
    groups = [{"params": [getattr(avatar, n)], "lr": r * scale} for n, r in rates.items()]
    return torch.optim.Adam(groups, eps=EPSILON, fused=True)
