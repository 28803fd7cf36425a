"""A latent picture's decoder of Stable Diffusion's shape (Rombach et al. 2022), as FastGHA changes
it (paper 003, A.1): wider in and out, its middle attention across views.

Modules have the names of `diffusers`' AutoencoderKL, so that its published weights fit the inner
layers as they are. With 4 channels in and 3 out it is that decoder, number for number.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention, silu

CHANNELS = (512, 512, 256, 128)
"""Of SD-Turbo's decoder, coarsest first."""
GROUPS, EPSILON = 32, 1e-6


class ResnetBlock2D(nn.Module):
    """Two convolutions beside a straight way."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels, EPSILON)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, out, EPSILON)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, planes: Tensor) -> Tensor:
        change = self.conv1(silu(self.norm1(planes)))
        change = self.conv2(silu(self.norm2(change)))
        return self.conv_shortcut(planes) + change


class CrossViewAttention(nn.Module):
    """Every cell of every view looks at all of them (the original: at those of its picture)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(GROUPS, channels, EPSILON)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, planes: Tensor) -> Tensor:
        """Planes [V, C, h, w] of one person."""
        cells = self.group_norm(planes).movedim(1, -1).flatten(0, 2)[None]
        query, key, value = self.to_q(cells), self.to_k(cells), self.to_v(cells)
        seen = self.to_out[0](scaled_dot_product_attention(query, key, value))
        views, channels, rows, columns = planes.shape
        return planes + seen.view(views, rows, columns, channels).movedim(-1, 1)


class MiddleBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock2D(channels, channels) for _ in range(2))
        self.attentions = nn.ModuleList([CrossViewAttention(channels)])

    def forward(self, planes: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](planes)))


class Upsample2D(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        return self.conv(interpolate(planes, scale_factor=2.0))


class UpBlock(nn.Module):
    """Three residual blocks, then twice the size but for the last."""

    def __init__(self, channels: int, out: int, grows: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            ResnetBlock2D(channels if index == 0 else out, out) for index in range(3)
        )
        self.upsamplers = nn.ModuleList([Upsample2D(out)] if grows else [])

    def forward(self, planes: Tensor) -> Tensor:
        for layer in (*self.resnets, *self.upsamplers):
            planes = layer(planes)
        return planes


class VaeDecoder(nn.Module):
    """Maps [V, out, 8 h, 8 w] of latent planes [V, C, h, w]."""

    def __init__(self, channels_in: int, out: int, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        before = (channels[0], *channels[:-1])
        last = len(channels) - 1
        self.conv_in = nn.Conv2d(channels_in, channels[0], 3, padding=1)
        self.mid_block = MiddleBlock(channels[0])
        self.up_blocks = nn.ModuleList(
            UpBlock(a, b, grows=index < last)
            for index, (a, b) in enumerate(zip(before, channels, strict=True))
        )
        self.conv_norm_out = nn.GroupNorm(GROUPS, channels[-1], EPSILON)
        self.conv_out = nn.Conv2d(channels[-1], out, 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        planes = self.mid_block(self.conv_in(planes))
        for block in self.up_blocks:
            planes = block(planes)
        return self.conv_out(silu(self.conv_norm_out(planes)))

    def take_over(self, weights: dict[str, Tensor]) -> list[str]:
        """Take the inner layers' weights from a decoder of `diffusers`, under its names; returns
        the names that were left as they are."""
        own = self.state_dict()
        fitting = {
            name: value
            for name, value in weights.items()
            if name in own and own[name].shape == value.shape
        }
        with torch.no_grad():
            self.load_state_dict(fitting, strict=False)
        return sorted(own.keys() - fitting.keys())
