"""An avatar that is no sum of blendshapes becomes one, and learns from the footage once more.

What a network moved along curves, blendshapes move along lines. The SVD finds the lines nearest
to each curve; a short fit of base, blendshapes and the map of the code finds those that look best.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import Tensor

from ..api.baked import Performance
from ..api.requests import ReconstructRequest
from ..api.settings import METHODS
from ..avatar import Avatar
from ..clip import TrackedClip
from ..levels import importance
from ..linear_avatar import LinearAvatar
from ..linearisation import decompose
from ..losses import composite, photometric_gradient
from ..progress import Tick, parts, silent
from ..rasterize import rasterize
from .fit import CODE_NOISE
from .optimisation import DELTAS, EPSILON, NETWORK, PAPER_BATCH, POSITION_FIRST, RATES
from .training_frames import FrameQueue, TrainingFrames

SHARE_OF_FIT, MOST_IMAGES = 0.13, 800
"""Images that an avatar learns from as a sum: a share of those before, and no more than this."""
BATCH = 4
SSIM_SHARE = 0.2
OUTSIDE_WEIGHT = 0.01
"""Pulls weights back into -1..1, where their gradient lives."""


def shares(request: ReconstructRequest) -> tuple[float, float]:
    """Seconds of a request's time limit that its method may take, and that are left to settle; 0
    without a limit."""
    settles = METHODS[request.method].settles
    learning = request.max_seconds / (1 + SHARE_OF_FIT if settles else 1)
    return learning, request.max_seconds - learning


def settled(
    avatar: Avatar,
    clip: TrackedClip,
    shot: Performance,
    images: int,
    tick: Tick = silent,
    seconds: float = 0.0,
) -> Avatar:
    """The avatar, fitted to `images` of the clip's frames, as a sum of blendshapes that has learned
    from some of them again; itself where it is a sum or nothing moves. `shot` is the performance of
    the clip, with its held-out frames. All of it takes so many seconds at most, if
    any are given."""
    ends = time.monotonic() + (seconds or math.inf)
    seen = np.setdiff1d(np.arange(len(clip)), shot.test_frames)
    images = min(MOST_IMAGES, round(SHARE_OF_FIT * images))
    if avatar.bakes_exactly or not images or not len(seen):
        return avatar
    sampling, learning = parts(tick, 2)
    codes = torch.from_numpy(np.asarray(clip.head.code(clip.params[seen]), np.float32))
    found = decompose(avatar, codes, importance(avatar, shot, sampling))
    if not found.parts:
        return avatar
    summed = LinearAvatar(avatar.head, avatar.binding, found.base, *found.blendshapes())
    summed.to(avatar.device)
    settle(summed, clip, seen, images, learning, ends)
    return summed


def settle(
    avatar: LinearAvatar,
    clip: TrackedClip,
    train_frames: np.ndarray,
    images: int,
    tick: Tick = silent,
    ends: float = math.inf,
) -> None:
    """Fits the avatar, in place, to `images` of the clip's frames, until `ends` on the monotonic
    clock at most. Raises FootageError."""
    reading, learning = parts(tick, 2)
    picked = np.linspace(0, len(train_frames) - 1, min(images, len(train_frames)))
    chosen = np.asarray(train_frames)[picked.round().astype(int)]
    frames = TrainingFrames(clip, chosen, clip.camera.width, avatar.device, tick=reading)
    generator = torch.Generator().manual_seed(0)
    queue, optimiser = FrameQueue(len(frames), generator), _optimiser(avatar)
    first = [group["lr"] for group in optimiser.param_groups]
    steps, step, done, began = -(-images // BATCH), 0, 0.0, time.monotonic()
    while done < 1:
        for group, rate in zip(optimiser.param_groups, first, strict=True):
            group["lr"] = rate * (1 - done)
        optimiser.zero_grad()
        _backward(avatar, frames, queue.take(BATCH), generator)
        optimiser.step()
        step += 1
        late = (time.monotonic() - began) / max(ends - began, 1e-3)
        done = min(1.0, max(step / steps, late))
        learning(done)


def _backward(
    avatar: LinearAvatar, frames: TrainingFrames, batch: Tensor, generator: torch.Generator
) -> None:
    """Gradients of one batch [B] over random backgrounds."""
    background = torch.rand((len(batch), 3), generator=generator).to(avatar.device)
    noise = torch.randn((len(batch), frames.codes.shape[1]), generator=generator)
    batch = batch.to(avatar.device)
    free = avatar.weights.unclamped(frames.codes[batch] + CODE_NOISE * noise.to(avatar.device))
    outside = (free.abs() - 1).relu().square().mean()
    gaussians = avatar.gaussians(free.clamp(-1, 1), frames.vertices[batch])
    image, _, _ = rasterize(gaussians, frames.cameras(len(batch), half=False), background)
    target = composite(frames.pictures(batch, half=False), background)
    _, gradient, _ = photometric_gradient(image.detach(), target, ssim_share=SSIM_SHARE)
    torch.autograd.backward([image, OUTSIDE_WEIGHT * outside], [gradient, None])


def _optimiser(avatar: LinearAvatar) -> torch.optim.Adam:
    scale = BATCH / PAPER_BATCH
    rates = {**RATES, "means": POSITION_FIRST, "deltas": DELTAS}
    groups = [{"params": [getattr(avatar, n)], "lr": r * scale} for n, r in rates.items()]
    network = {"params": list(avatar.weights.parameters()), "lr": NETWORK}
    return torch.optim.Adam([*groups, network], eps=EPSILON, fused=True)
