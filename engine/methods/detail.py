"""Which pixels show the eyes and the mouth: small in area, first in what a viewer looks at."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..avatar import FittedAvatar
from ..gaussians import Cameras
from ..progress import Tick, silent
from ..rasterize import rasterize
from .training_frames import FrameSlots

SHRINK = 4
"""The maps are this much smaller than the training images."""
BATCH = 8


@torch.no_grad()
def detail_maps(
    avatar: FittedAvatar,
    frames: FrameSlots,
    detail: np.ndarray,
    numbers: Tensor | None = None,
    tick: Tick = silent,
) -> Tensor:
    """Maps [T, h, w] uint8 of the frames `numbers` [T], all by default: 255 where a frame shows
    Gaussians of `detail` [N] (bool). Those are painted white, the others black, and drawn with the
    rasteriser, occlusion and all."""
    flag = torch.from_numpy(np.asarray(detail, np.float32)).to(avatar.device)
    maps = []
    chunks = (torch.arange(len(frames)) if numbers is None else numbers).split(BATCH)
    for number, chunk in enumerate(chunks, 1):
        vertices = frames.vertices[chunk.to(avatar.device)]
        gaussians = avatar.gaussians(None, vertices)
        painted = flag[None, :, None].expand(len(vertices), -1, 3)
        cameras = _shrunk(frames.cameras(len(vertices), half=False))
        image, _, _ = rasterize(gaussians._replace(colors=painted.contiguous()), cameras)
        maps.append((image[..., 0].clamp(0, 1) * 255).to(torch.uint8))
        tick(number / len(chunks))
    return torch.cat(maps)


def pixel_weight(details: Tensor, size: torch.Size, weight: float) -> Tensor | None:
    """Loss weights [B, H, W] from maps [B, h, w] uint8: `weight` on what they show, 1 elsewhere;
    None where all weigh the same."""
    if weight == 1:
        return None
    small = details.float().mul_((weight - 1) / 255).add_(1)
    return torch.nn.functional.interpolate(small[:, None], size=tuple(size), mode="nearest")[:, 0]


def _shrunk(cameras: Cameras) -> Cameras:
    K = cameras.Ks.clone()
    K[:, :2] /= SHRINK
    return Cameras(cameras.viewmats, K, cameras.width // SHRINK, cameras.height // SHRINK)
