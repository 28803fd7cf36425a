"""Layers that the feed-forward networks share: attention, transformer blocks, a small encoder.

Tokens are [B, T, D]. Nothing here knows of heads or cameras.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

GROUP = 8
"""Channels of one group of a group normalisation."""


class Attention(nn.Module):
    """Multi-head attention of tokens to a context, or to themselves (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int, context_width: int | None = None) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width or width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """Tokens [B, T, D] that have looked at the context [B, S, .]."""
        query, key, value = self.split(tokens, context)
        return self.out(merged(scaled_dot_product_attention(query, key, value)))

    def split(self, tokens: Tensor, context: Tensor | None = None) -> tuple[Tensor, ...]:
        """Query, key and value [B, heads, T or S, D / heads]."""
        key_value = self.key_value(tokens if context is None else context)
        three = (self.query(tokens), *key_value.chunk(2, dim=-1))
        return tuple(one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in three)


def merged(heads: Tensor) -> Tensor:
    """[B, heads, T, d] as tokens [B, T, heads x d]."""
    return heads.transpose(1, 2).flatten(-2)


class Mlp(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, width: int, hidden: int, out: int | None = None) -> None:
        super().__init__()
        self.enter = nn.Linear(width, hidden)
        self.leave = nn.Linear(hidden, out or width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.leave(gelu(self.enter(tokens)))


class Block(nn.Module):
    """A transformer's block of self-attention, normalised first."""

    def __init__(self, width: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = Mlp(width, expansion * width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.before_attention(tokens))
        return tokens + self.mlp(self.before_mlp(tokens))


class CrossBlock(nn.Module):
    """A block whose tokens look at a context of another width, then think alone."""

    def __init__(self, width: int, heads: int, context_width: int, expansion: int = 4) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.before_context = nn.LayerNorm(context_width)
        self.attention = Attention(width, heads, context_width)
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = Mlp(width, expansion * width)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        seen = self.before_context(context)
        tokens = tokens + self.attention(self.before_attention(tokens), seen)
        return tokens + self.mlp(self.before_mlp(tokens))


def waves(values: Tensor, count: int, lowest: float = 1.0) -> Tensor:
    """Sines and cosines [..., 2 x count x D] of values [..., D] at `lowest` times 1, 2, 4 ...
    radians per unit (Mildenhall et al. 2020, eq. 4)."""
    frequencies = lowest * 2.0 ** torch.arange(count, dtype=values.dtype, device=values.device)
    angles = (values[..., None] * frequencies).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def quiet_start(layer: nn.Linear | nn.Conv2d, spread: float = 1e-2) -> None:
    """Makes a layer's first output nearly zero, so that what it corrects starts as it is."""
    nn.init.normal_(layer.weight, std=spread / layer.weight[0].numel() ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class ResidualConvolution(nn.Module):
    """Two 3 x 3 convolutions beside a straight way, normalised first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            nn.GroupNorm(max(1, channels // GROUP), channels) for _ in range(2)
        )
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)
        )

    def forward(self, planes: Tensor) -> Tensor:
        change = planes
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            change = convolution(gelu(norm(change)))
        return planes + change


class Pyramid(nn.Module):
    """Our own small encoder: features of pictures at 1/2, 1/4, 1/8 ... of their size."""

    def __init__(self, channels_in: int, channels: Sequence[int]) -> None:
        """`channels` of each level, the finest first."""
        super().__init__()
        before = (channels_in, *channels[:-1])
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), ResidualConvolution(b))
            for a, b in zip(before, channels, strict=True)
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Features [V, C_l, H / 2^l, W / 2^l] of pictures [V, C, H, W], the finest first."""
        features = []
        for level in self.levels:
            pictures = level(pictures)
            features.append(pictures)
        return features


class PyramidDecoder(nn.Module):
    """Features grown to twice the size again and again, what the encoder saw there joined in."""

    def __init__(self, width: int, channels: Sequence[int]) -> None:
        """From `width` channels to each of `channels` in turn; a level's encoder features have the
        same channels as the level."""
        super().__init__()
        before = (width, *channels[:-1])
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(before, channels))
        self.join = nn.ModuleList(nn.Conv2d(2 * b, b, 1) for b in channels)
        self.refine = nn.ModuleList(ResidualConvolution(b) for b in channels)

    def forward(self, planes: Tensor, seen: Sequence[Tensor]) -> Tensor:
        """Planes [V, width, h, w] as [V, channels[-1], 2^n h, 2^n w]; `seen` are n features."""
        for narrow, join, refine, beside in zip(
            self.narrow, self.join, self.refine, seen, strict=True
        ):
            grown = nn.functional.interpolate(narrow(planes), size=beside.shape[-2:])
            planes = refine(join(torch.cat([grown, beside], dim=1)))
        return planes
