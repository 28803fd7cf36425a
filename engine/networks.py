"""F of RGBAvatar eq. 2: expression code -> reduced blendshape weights, one small MLP per face part.

Two things differ from the paper, both so that a single slider moves its own part and nothing tears:
each group of blendshapes sees only the code of its part of the face, and both ends are clamped to
what the footage showed. A clamp is two ReLUs, so `WeightMap` holds the network exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .api.baked import WeightMap

WIDTH = 48
"""Hidden units per group; three groups are about the paper's 128."""
MIN_SPREAD = 0.08
"""A code number that varies less is not stretched to unit variance: it is mostly tracking noise."""


class CodeStatistics:
    """What the training frames showed: centre, spread and range [C] of each number of the code."""

    def __init__(self, codes: np.ndarray) -> None:
        codes = np.asarray(codes, np.float32)  # [T, C]
        self.mean = codes.mean(0)
        self.spread = np.maximum(codes.std(0), MIN_SPREAD)
        self.low = codes.min(0)
        self.high = codes.max(0)


class GroupedWeights(nn.Module):
    """Blendshape weights [..., K] in -1..1 of codes [..., C]; K is shared out to groups of it."""

    low: Tensor
    high: Tensor
    mean: Tensor
    spread: Tensor
    mask_in: Tensor
    mask_hidden: Tensor
    mask_out: Tensor

    def __init__(
        self,
        statistics: CodeStatistics,
        driven_by: np.ndarray,
        group_sizes: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        """`driven_by` [G, C]: the code numbers each group sees; `group_sizes`: its share of K."""
        super().__init__()
        for name in ("low", "high", "mean", "spread"):
            self.register_buffer(name, torch.from_numpy(getattr(statistics, name).copy()))
        groups = len(group_sizes)
        hidden_group = torch.arange(groups).repeat_interleave(WIDTH)
        out_group = torch.repeat_interleave(torch.arange(groups), torch.tensor(list(group_sizes)))
        # Block-diagonal masks: three dense layers of this size are cheaper than a loop over groups.
        seen_by_group = torch.from_numpy(np.asarray(driven_by, np.float32))
        self.register_buffer("mask_in", seen_by_group[hidden_group])
        self.register_buffer("mask_hidden", _same(hidden_group, hidden_group))
        self.register_buffer("mask_out", _same(out_group, hidden_group))
        self.first = _linear(self.mask_in, generator)
        self.second = _linear(self.mask_hidden, generator)
        self.last = _linear(self.mask_out, generator)

    @torch.no_grad()
    def restate(self, statistics: CodeStatistics) -> None:
        """Take over new statistics. The weights of every code inside both ranges stay as they are:
        the first layer gives up what centre and spread take (Pop-Art, van Hasselt et al. 2016,
        does so with outputs)."""
        new = {
            name: torch.from_numpy(getattr(statistics, name).copy()).to(self.low)
            for name in ("low", "high", "mean", "spread")
        }
        moved = (new["mean"] - self.mean) / self.spread
        self.first.bias.add_((self.first.weight * self.mask_in) @ moved)
        self.first.weight.mul_(new["spread"] / self.spread)
        for name, value in new.items():
            getattr(self, name).copy_(value)

    def unclamped(self, codes: Tensor) -> Tensor:
        """Weights [..., K] before the clamp to -1..1 (the fit pulls them back inside)."""
        seen = codes.clamp(self.low, self.high)
        hidden = (seen - self.mean) / self.spread
        hidden = _masked(self.first, self.mask_in, hidden).relu()
        hidden = _masked(self.second, self.mask_hidden, hidden).relu()
        return _masked(self.last, self.mask_out, hidden)

    def forward(self, codes: Tensor) -> Tensor:
        return self.unclamped(codes).clamp(-1, 1)

    @torch.no_grad()
    def weight_map(self, scale: np.ndarray) -> WeightMap:
        """This network as plain layers, its weights divided by `scale` [K]; exact."""
        low, high = _double(self.low), _double(self.high)
        first = _double(self.first.weight * self.mask_in) / _double(self.spread)
        offset = _double(self.first.bias) - first @ _double(self.mean)
        last = _double(self.last.weight * self.mask_out) / scale[:, None]
        last_bias = _double(self.last.bias) / scale
        enter, leave = _clamp_layers(np.eye(len(low)), np.zeros(len(low)), low, high)
        squash, end = _clamp_layers(last, last_bias, -1 / scale, 1 / scale)
        second = _double(self.second.weight * self.mask_hidden), _double(self.second.bias)
        layers = [
            enter,
            (first @ leave[0], first @ leave[1] + offset),
            second,
            squash,
            end,
        ]
        return WeightMap(
            tuple(
                (np.asarray(weight, np.float32), np.asarray(bias, np.float32))
                for weight, bias in layers
            )
        )


def _clamp_layers(
    weight: np.ndarray, bias: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Two layers, with a ReLU between, of clamp(weight x + bias, low, high):
    low + relu(y - low) - relu(y - high)."""
    identity = np.eye(len(low))
    inner = np.concatenate([weight, weight]), np.concatenate([bias - low, bias - high])
    return inner, (np.concatenate([identity, -identity], axis=1), low)


def _double(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float64)


def _same(rows: Tensor, columns: Tensor) -> Tensor:
    return (rows[:, None] == columns[None]).float()


def _linear(mask: Tensor, generator: torch.Generator) -> nn.Linear:
    """A linear layer with torch's usual start, its bound by the inputs that the mask lets in."""
    layer = nn.Linear(mask.shape[1], mask.shape[0])
    bound = 1 / math.sqrt(max(float(mask.sum(1).max()), 1.0))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def _masked(layer: nn.Linear, mask: Tensor, x: Tensor) -> Tensor:
    return nn.functional.linear(x, layer.weight * mask, layer.bias)
