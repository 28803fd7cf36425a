"""More frames than the transformer takes whole (paper 002, 4.5): which stay whole, and how the rest
is packed into few tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from ..feedforward.projection import head_cameras
from ..feedforward.views import Views

HALVINGS = 3
"""Strided convolutions, each of half the size: an eighth of the tokens' grid in all."""
EXPRESSION_SHARE = 0.5
"""How much a difference of expression counts beside one of view direction, when frames are
chosen."""


class Packing(nn.Module):
    """Frames' token grids, eight times smaller each way (FramePack, Zhang et al. 2025)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.halve = nn.ModuleList(nn.Conv2d(width, width, 2, stride=2) for _ in range(HALVINGS))

    def forward(self, grids: Tensor) -> Tensor:
        """Tokens [F, T / 64, D] of token grids [F, D, h, w]."""
        for layer in self.halve:
            grids = layer(gelu(grids))
        return grids.flatten(2).mT


@torch.no_grad()
def chosen_frames(views: Views, count: int) -> tuple[list[int], list[int]]:
    """Numbers of `count` frames that differ most, and of the rest, by farthest-point sampling from
    the one nearest to the mean: the choice does not depend on the frames' order, as the paper's
    uniform sampling would."""
    if len(views) <= count:
        return list(range(len(views))), []
    direction = head_cameras(views)[:, 2, :3]
    frame = torch.cat([direction, EXPRESSION_SHARE * views.codes], dim=-1)
    first = int((frame - frame.mean(0)).norm(dim=-1).argmin())
    chosen = [first]
    distance = (frame - frame[first]).norm(dim=-1)
    while len(chosen) < count:
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (frame - frame[chosen[-1]]).norm(dim=-1))
    return sorted(chosen), sorted(set(range(len(views))) - set(chosen))
