"""Photometric tracking: frames posed by how a finished avatar looks in them.

The papers' trackers (INSTA's, VHAP) compare a textured mesh with every frame of a clip; here the
avatar itself, Gaussians frozen, is compared. A frame's picture corrects its own pose and expression
and teaches the avatar nothing, so this may be done to frames that the fit holds out.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..api.head import HeadParams
from ..api.settings import PosingSettings
from ..avatar import Avatar
from ..clip import TrackedClip
from ..losses import composite, l1_gradient
from ..progress import Tick, silent
from ..rasterize import rasterize
from .frame_corrections import FrameCorrections
from .training_frames import SURE, FrameSlots, TrainingFrames

BATCH = 4
FIRST, LAST = 0.35, 0.1
"""Adam's rate in units of the likely error, and the share of it that remains at the end."""


def track_by_avatar(
    avatar: Avatar,
    clip: TrackedClip,
    frames: np.ndarray,
    posing: PosingSettings | None = None,
    tick: Tick = silent,
) -> HeadParams:
    """The clip's params with those of `frames` [n], consecutive where it can be, corrected by the
    avatar as it is. Frames in which the head is lost stay as they are."""
    sure = frames[clip.confidence[frames] >= SURE]
    if not len(sure):
        return clip.params
    posing = posing or PosingSettings()
    slots = TrainingFrames(clip, sure, posing.size, avatar.device, least=1)
    corrections = FrameCorrections(clip.head, len(slots)).to(avatar.device)
    learned = [parameter for parameter in avatar.parameters() if parameter.requires_grad]
    for parameter in learned:
        parameter.requires_grad_(False)
    try:
        for start in range(0, len(slots), BATCH):
            batch = torch.arange(start, min(start + BATCH, len(slots)), device=avatar.device)
            _settle(avatar, slots, corrections, batch, posing)
            tick((start + len(batch)) / len(slots))
    finally:
        for parameter in learned:
            parameter.requires_grad_(True)
    return put_params(clip.params, slots.indices, corrections.corrected(slots.params))


def put_params(params: HeadParams, frames: np.ndarray, others: HeadParams) -> HeadParams:
    """NumPy params [T] with `others` [n] in place of those of `frames` [n]."""
    found = {name: np.array(value) for name, value in vars(params).items()}
    for name, value in found.items():
        value[frames] = getattr(others, name)
    return HeadParams(**found)


def _settle(
    avatar: Avatar,
    slots: FrameSlots,
    corrections: FrameCorrections,
    batch: Tensor,
    posing: PosingSettings,
) -> None:
    """Corrects a few neighbouring frames [B], started where the frame before them ended."""
    before = max(int(batch[0]) - 1, 0)
    with torch.no_grad():
        for delta in corrections.deltas.values():
            delta[batch] = delta[before].clone()
    optimiser = torch.optim.Adam(corrections.deltas.values(), lr=FIRST, betas=(0.8, 0.95))
    black = torch.zeros((len(batch), 3), device=avatar.device)
    target = composite(slots.pictures(batch, half=False), black)
    cameras = slots.cameras(len(batch), half=False)
    for step in range(posing.steps):
        optimiser.param_groups[0]["lr"] = FIRST * LAST ** (step / posing.steps)
        posed = corrections.posed(slots.params, batch)
        image, _, _ = rasterize(avatar.carried(*posed), cameras, black)
        _, gradient, _ = l1_gradient(image.detach(), target)
        optimiser.zero_grad()
        prior = posing.prior * corrections.penalty(batch)
        torch.autograd.backward([image, prior], [gradient, None])
        optimiser.step()
