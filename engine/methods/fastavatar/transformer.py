"""LGRT (paper 002, 3.2): alternating global and frame attention over face and point tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..feedforward.layers import Block, waves
from ..feedforward.views import Views
from .blocks import DualBlock
from .encodings import Encodings
from .packing import Packing
from .points import HeadPoints
from .settings import FastAvatarSizes

GRID_FREQUENCIES = 6


class GaussianTransformer(nn.Module):
    """Face features of F frames -> point tokens [F, P, D]."""

    def __init__(self, channels: int, points: HeadPoints, sizes: FastAvatarSizes) -> None:
        """`channels` of the face features; `sizes.pairs` in the order global, frame (Table 3)."""
        super().__init__()
        width, heads = sizes.width, sizes.heads
        self.enter = nn.Linear(channels + 4 * GRID_FREQUENCIES, width)
        self.encodings = Encodings(width)
        self.packing = Packing(width)
        self.prompts = nn.Linear(points.token_waves.shape[1], width)
        self.whole = nn.ModuleList(Block(width, heads) for _ in range(sizes.pairs))
        self.frame = nn.ModuleList(DualBlock(width, heads) for _ in range(sizes.pairs))
        self.leave = nn.LayerNorm(width)

    def faces(self, features: Tensor, views: Views) -> tuple[Tensor, Tensor]:
        """Face tokens [F, h w, D] of features [F, C, h, w] and the frames' encodings [F, 3, D]."""
        grid = _grid_waves(features).expand(len(features), -1, -1, -1)
        planes = torch.cat([features, grid], dim=1)
        return self.enter(planes.flatten(2).mT), self.encodings(views)

    def packed(self, features: Tensor, views: Views) -> Tensor:
        """Tokens [1, S, D] of further frames, few for each, labelled like the others."""
        tokens, encodings = self.faces(features, views)
        grids = tokens.mT.unflatten(2, features.shape[-2:])
        few = self.packing(grids) + encodings.mean(1, keepdim=True)
        return few.flatten(0, 1)[None]

    def forward(
        self,
        features: Tensor,
        views: Views,
        points: HeadPoints,
        packed: Tensor | None,
        run: Callable[..., Any],
    ) -> Tensor:
        """Point tokens [F, P, D] of F frames' features, with the packed tokens of further ones."""
        tokens, encodings = self.faces(features, views)
        condition = encodings.mean(1)
        face = torch.cat([tokens, encodings], dim=1)
        prompts = self.prompts(points.token_waves).expand(len(face), -1, -1)
        for whole, frame in zip(self.whole, self.frame, strict=True):
            face, packed = self._across(whole, face, packed, run)
            face, prompts = run(frame, face, prompts, condition)
        # What a frame shows as a whole, its light above all, is said to all of its points.
        return self.leave(prompts + face.mean(1, keepdim=True))

    def _across(
        self, block: nn.Module, face: Tensor, packed: Tensor | None, run: Callable[..., Any]
    ) -> tuple[Tensor, Tensor | None]:
        """Global attention: the tokens of all frames, and the packed ones, look at each other."""
        frames, count, width = face.shape
        together = face.reshape(1, frames * count, width)
        if packed is None:
            return run(block, together).view(frames, count, width), None
        seen = run(block, torch.cat([together, packed], dim=1))
        own, packed = seen.split([frames * count, packed.shape[1]], dim=1)
        return own.reshape(frames, count, width), packed


def _grid_waves(features: Tensor) -> Tensor:
    """Waves [4 x GRID_FREQUENCIES, h, w] of the cells' places in the picture."""
    rows, columns = features.shape[-2:]
    y = torch.linspace(-1, 1, rows, device=features.device)
    x = torch.linspace(-1, 1, columns, device=features.device)
    place = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1)
    return waves(place, GRID_FREQUENCIES, math.pi / 2).movedim(-1, 0)
