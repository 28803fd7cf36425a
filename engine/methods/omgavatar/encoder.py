"""What the network sees of a picture: tokens to ask, and a map of local features to look up."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

from ..feedforward.layers import Pyramid, PyramidDecoder, ResidualConvolution
from .settings import OMGSizes

PYRAMID = (32, 64, 96)
FUSED = 4
"""Layers of the frozen encoder that are fused (Ranftl et al. 2021, DPT)."""


class Seen(NamedTuple):
    """Of V pictures."""

    tokens: Tensor  # [V, T, memory]
    local: Tensor  # [V, width, h, w]


class CompactEncoder(nn.Module):
    """Our own: a small pyramid, its coarsest level the tokens."""

    def __init__(self, sizes: OMGSizes) -> None:
        super().__init__()
        self.memory = PYRAMID[-1]
        self.pyramid = Pyramid(4, PYRAMID)
        self.decoder = PyramidDecoder(PYRAMID[-1], PYRAMID[-2::-1])
        self.out = nn.Conv2d(PYRAMID[0], sizes.width, 1)

    def forward(self, pictures: Tensor) -> Seen:
        """Features of pictures [V, 4, S, S]: tokens at 1/8, local ones at 1/2 of the size."""
        levels = self.pyramid(pictures)
        local = self.out(self.decoder(levels[-1], levels[-2::-1]))
        return Seen(levels[-1].flatten(2).mT, local)


class PaperEncoder(nn.Module):
    """Frozen DINOv2 tokens from outside; what is learned fuses four of its layers."""

    def __init__(self, sizes: OMGSizes) -> None:
        super().__init__()
        self.memory, self.grid = sizes.memory, sizes.grid
        self.project = nn.ModuleList(nn.Conv2d(sizes.memory, sizes.width, 1) for _ in range(FUSED))
        self.refine = nn.ModuleList(ResidualConvolution(sizes.width) for _ in range(FUSED))
        self.out = nn.Conv2d(sizes.width, sizes.width, 3, padding=1)

    def forward(self, layers: list[Tensor]) -> Seen:
        """Features of four layers [V, memory, h, w], the deepest last."""
        fused = torch.zeros((), device=layers[0].device)
        for depth in reversed(range(FUSED)):
            fused = self.refine[depth](fused + self.project[depth](layers[depth]))
        grown = interpolate(fused, size=(self.grid, self.grid), mode="bilinear")
        return Seen(layers[-1].flatten(2).mT, self.out(gelu(grown)))
