"""FastGHA's reconstruction network (paper 003, 3.1): pictures and rays -> attribute maps.

Features and Plücker rays make tokens, a transformer lets all views' tokens look at each other, a
decoder makes one Gaussian's attributes for each pixel. Views have no order: only rays tell them
apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle

from ..feedforward.layers import Block, Pyramid, PyramidDecoder, ResidualConvolution, quiet_start
from .settings import ATTRIBUTES, RAYS, FastGHASizes
from .vae_decoder import VaeDecoder

PYRAMID = (32, 64, 128)
"""Channels of our own encoder at 1/2, 1/4, 1/8 of the picture."""
DINO_LAYERS, DINO_WIDTH = 4, 1024
"""Layers of DINOv3 ViT-L/16 whose features are fused, and their channels."""

Run = Callable[..., Any]
"""Runs a block on its inputs, keeping its activations or not."""


class MultiViewTransformer(nn.Module):
    """Self-attention over the tokens of all views at once."""

    def __init__(self, channels: int, sizes: FastGHASizes) -> None:
        super().__init__()
        self.enter = nn.Linear(channels, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, sizes.heads) for _ in range(sizes.layers))
        self.leave = nn.LayerNorm(sizes.width)

    def forward(self, planes: Tensor, run: Run) -> Tensor:
        """Planes [V, width, h, w] of features [V, channels, h, w]."""
        views, _, rows, columns = planes.shape
        tokens = self.enter(planes.movedim(1, -1).flatten(0, 2)[None])
        for block in self.blocks:
            tokens = run(block, tokens)
        return self.leave(tokens).view(views, rows, columns, -1).movedim(-1, 1)


class CompactBackbone(nn.Module):
    """Ours: a small encoder that learns with the rest, its fine features joined in again."""

    def __init__(self, sizes: FastGHASizes) -> None:
        super().__init__()
        self.encoder = Pyramid(4, PYRAMID)
        self.transformer = MultiViewTransformer(PYRAMID[-1] + RAYS, sizes)
        self.decoder = PyramidDecoder(sizes.width, PYRAMID[-2::-1])
        self.attributes = nn.Conv2d(PYRAMID[0], 4 * (ATTRIBUTES + sizes.feature), 1)
        quiet_start(self.attributes)

    def forward(self, pictures: Tensor, rays: Tensor, run: Run) -> Tensor:
        """Attribute maps [V, 12 + feature, S, S] of pictures [V, 4, S, S] with mattes and rays
        [V, 6, S / 8, S / 8]."""
        fine, middle, coarse = self.encoder(pictures)
        tokens = self.transformer(torch.cat([coarse, rays], dim=1), run)
        return pixel_shuffle(self.attributes(self.decoder(tokens, (middle, fine))), 2)


class DinoFusion(nn.Module):
    """Features of several layers of DINOv3 as one map of the latent picture's size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(nn.Conv2d(DINO_WIDTH, channels, 1) for _ in range(DINO_LAYERS))
        self.refine = nn.ModuleList(ResidualConvolution(channels) for _ in range(2))

    def forward(self, layers: Sequence[Tensor], rows: int, columns: int) -> Tensor:
        """[V, channels, rows, columns] of the layers' features [V, 1024, ., .]."""
        narrowed = [one(layer) for one, layer in zip(self.narrow, layers, strict=True)]
        planes = self.refine[0](torch.stack(narrowed).sum(0))
        grown = interpolate(planes, size=(rows, columns), mode="bilinear", align_corners=False)
        return self.refine[1](grown)


class PaperBackbone(nn.Module):
    """The paper's: frozen DINOv3 and SD-Turbo encoders, whose features come from outside, and
    SD-Turbo's decoder."""

    def __init__(self, sizes: FastGHASizes) -> None:
        super().__init__()
        self.fusion = DinoFusion(sizes.dino)
        self.transformer = MultiViewTransformer(sizes.dino + sizes.latent + RAYS, sizes)
        self.decoder = VaeDecoder(sizes.width, ATTRIBUTES + sizes.feature)
        quiet_start(self.decoder.conv_out)

    def forward(self, dino: Sequence[Tensor], latent: Tensor, rays: Tensor, run: Run) -> Tensor:
        """Attribute maps [V, 44, 512, 512] of DINOv3's layers [V, 1024, 32, 32] each, the latent
        picture [V, 4, 64, 64] and rays [V, 6, 64, 64] (eq. 3)."""
        fused = self.fusion(dino, *latent.shape[-2:])
        tokens = self.transformer(torch.cat([fused, latent, rays], dim=1), run)
        return self.decoder(tokens)
