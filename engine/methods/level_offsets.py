"""What coarser levels of detail add to their Gaussians, so that these stand in for those left out.

They learn it from pictures of the whole avatar in poses of its footage, seen by the footage's
camera and from beside it. No footage is needed, and the whole avatar stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..api.baked import BakedAvatar
from ..avatar import drive
from ..gaussians import Cameras
from ..progress import Tick, parts, silent
from ..rasterize import rasterize
from ..render import camera_batch, cameras_around, source_camera
from ..restored_avatar import RestoredAvatar, taken
from .refining import BATCH, Shots, learn_from

STEPS = 60
"""For each level."""
POSES = 48
SIZE = 256
"""Side of the pictures: coarser levels are for heads that are small in the view."""


def with_level_offsets(
    baked: BakedAvatar, device: torch.device, tick: Tick = silent
) -> BakedAvatar:
    """The avatar with what its levels of detail add to the base. Each starts from what the finer
    one before it has learned."""
    coarser = baked.levels[1:]
    if not coarser:
        return baked
    shots, generator = _shots(baked, device), torch.Generator().manual_seed(0)
    part, found = baked, []
    for count, told in zip(coarser, parts(tick, len(coarser)), strict=True):
        part = taken(part, np.arange(count), (count,))
        avatar = RestoredAvatar(part).to(device)
        learn_from(avatar, _taker(shots, generator), STEPS, generator, told)
        part = replace(part, base=avatar.raw_base().detach().cpu().numpy())
        found.append(part.base - baked.base[:count])
    return replace(baked, level_offsets=tuple(found))


def _taker(shots: Shots, generator: torch.Generator) -> Callable[[], Shots]:
    """Takes some of the shots at random."""

    def take() -> Shots:
        batch = torch.randint(len(shots.weights), (BATCH,), generator=generator)
        batch = batch.to(shots.weights.device)
        return Shots(
            shots.weights[batch],
            shots.vertices[batch],
            _some(shots.cameras, batch),
            shots.pictures[batch],
        )

    return take


def _some(cameras: Cameras, batch: Tensor) -> Cameras:
    return cameras._replace(viewmats=cameras.viewmats[batch], Ks=cameras.Ks[batch])


@torch.no_grad()
def _shots(baked: BakedAvatar, device: torch.device) -> Shots:
    """Pictures of the whole avatar in poses spread over its footage."""
    performance = baked.performance
    picked = np.unique(np.linspace(0, len(performance.times) - 1, POSES).round().astype(int))
    codes, vertices = drive(baked.head, performance.params[picked])
    whole = RestoredAvatar(baked).to(device)
    weights, vertices = whole.weights(codes), vertices.to(device)
    camera = source_camera(baked, min(SIZE, performance.width))
    around = cameras_around(camera, vertices.mean(1).cpu().numpy())
    cameras = camera_batch(around, device)
    pictures = []
    for batch in torch.arange(len(picked), device=device).split(BATCH):
        gaussians = whole.gaussians(weights[batch], vertices[batch])
        colour, alpha, _ = rasterize(gaussians, _some(cameras, batch))
        pictures.append((torch.cat([colour, alpha], -1).clamp(0, 1) * 255).round().byte())
    return Shots(weights, vertices, cameras, torch.cat(pictures))
