"""A short fit of a baked avatar's learned Gaussians, after some of them were left out.

The pictures are the footage's here; levels of detail learn from pictures of the whole avatar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..clip import TrackedClip
from ..gaussians import Cameras
from ..losses import composite, l1_gradient
from ..progress import Tick
from ..rasterize import rasterize
from ..restored_avatar import RestoredAvatar
from .optimisation import EPSILON, PAPER_BATCH, POSITION_FIRST, RATES
from .training_frames import FrameQueue, TrainingFrames

BATCH = 4
SHARE = 0.3
"""Of RGBAvatar's first rates: nothing has to be found anew."""


class Shots(NamedTuple):
    """B pictures, and how the avatar stands in them."""

    weights: Tensor  # [B, K]
    vertices: Tensor  # [B, V, 3] metres
    cameras: Cameras
    pictures: Tensor  # [B, H, W, 4] uint8 premultiplied


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

    def take() -> Shots:
        batch = queue.take(BATCH).to(device)
        cameras, pictures = frames.cameras(BATCH, half=False), frames.pictures(batch, half=False)
        return Shots(weights[batch], frames.vertices[batch], cameras, pictures)

    learn_from(avatar, take, -(-images // BATCH), generator, tick)


def learn_from(
    avatar: RestoredAvatar,
    take: Callable[[], Shots],
    steps: int,
    generator: torch.Generator,
    tick: Tick,
) -> None:
    """Fits the avatar, in place, to what `take` gives at each step, over random backgrounds."""
    optimiser = _optimiser(avatar)
    first = [group["lr"] for group in optimiser.param_groups]
    for step in range(steps):
        tick(step / steps)
        for group, rate in zip(optimiser.param_groups, first, strict=True):
            group["lr"] = rate * (1 - step / steps)
        shots = take()
        background = torch.rand((len(shots.weights), 3), generator=generator).to(avatar.device)
        gaussians = avatar.gaussians(shots.weights, shots.vertices)
        image, _, _ = rasterize(gaussians, shots.cameras, background)
        _, gradient, _ = l1_gradient(image.detach(), composite(shots.pictures, background))
        optimiser.zero_grad()
        torch.autograd.backward(image, gradient)
        optimiser.step()


def _optimiser(avatar: RestoredAvatar) -> torch.optim.Adam:
    scale = SHARE * BATCH / PAPER_BATCH
    rates = {**RATES, "means": POSITION_FIRST}
    groups = [{"params": [getattr(avatar, n)], "lr": r * scale} for n, r in rates.items()]
    return torch.optim.Adam(groups, eps=EPSILON, fused=True)
