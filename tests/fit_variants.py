"""What tests/bench_fit.py leaves out of the fit or changes in it, one thing at a time.

Settings are changed where there is a setting. The rest are constants and functions of the engine,
replaced while the variant is fitted: the product has no switch that only a benchmark needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from engine.api.baked import WeightMap
from engine.avatar import FittedAvatar
from engine.heads.builtin import builtin_head
from engine.networks import GroupedWeights

GREY, HALF_OPAQUE = 0.5, 0.0


@dataclass(frozen=True)
class Variant:
    """One row of the table of ablations."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Any] = field(default_factory=dict)  # "module.NAME" of the engine -> by

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """While this lasts the engine is as the variant has it."""
        with ExitStack() as stack:
            for name, value in self.replaced.items():
                stack.enter_context(patch(f"engine.{name}", value))
            yield


class LinearWeights(GroupedWeights):
    """Blendshape weights as one linear map of the code, each group of its own part of it, with the
    clamps of the network that it stands in for (RGBAvatar Fig. 10)."""

    mask: Tensor

    def __init__(
        self, statistics: Any, driven_by: np.ndarray, group_sizes: Any, generator: torch.Generator
    ) -> None:
        super().__init__(statistics, driven_by, group_sizes, generator)
        group = np.repeat(np.arange(len(group_sizes)), group_sizes)
        mask = torch.from_numpy(np.asarray(driven_by, np.float32)[group])  # [K, C]
        self.register_buffer("mask", mask)
        bound = float(mask.sum(1).max()) ** -0.5
        first = torch.empty(mask.shape).uniform_(-bound, bound, generator=generator)
        self.matrix = nn.Parameter(first)
        self.offset = nn.Parameter(torch.zeros(len(mask)))

    def unclamped(self, codes: Tensor) -> Tensor:
        seen = (codes.clamp(self.low, self.high) - self.mean) / self.spread
        return nn.functional.linear(seen, self.matrix * self.mask, self.offset)

    @torch.no_grad()
    def weight_map(self, scale: np.ndarray) -> WeightMap:
        """Exact, as two clamps of two ReLUs each: relu(x - low) - relu(x - high) + low."""
        low, high, mean, spread, matrix, offset = (
            value.double().cpu().numpy()
            for value in (
                self.low, self.high, self.mean, self.spread, self.matrix * self.mask, self.offset
            )
        )  # fmt: skip
        slope = matrix / spread / scale[:, None]
        start = offset / scale + slope @ (low - mean)
        codes, weights = np.eye(len(low)), np.eye(len(scale))
        both = np.concatenate([slope, -slope], 1)
        layers = (
            (np.concatenate([codes, codes]), np.concatenate([-low, -high])),
            (np.concatenate([both, both]), np.concatenate([start + 1 / scale, start - 1 / scale])),
            (np.concatenate([weights, -weights], 1), -1 / scale),
        )
        return WeightMap(tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in layers))


@torch.no_grad()
def grey_start(avatar: FittedAvatar, *_: Any) -> Tensor:
    """In place of colours from the footage: grey, half opaque; nothing counts as guessed."""
    avatar.colors.fill_(GREY)
    avatar.opacities.fill_(HALF_OPAQUE)
    return torch.zeros_like(avatar.opacities)


class PoseDropout(GroupedWeights):
    """Training hides the neck's turn from the blendshapes in some pictures, so that what they draw
    cannot hang on it alone."""

    def unclamped(self, codes: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            turned = torch.tensor([name.startswith("neck") for name in CODE_NAMES])
            hidden = torch.rand(len(codes), 1) < DROPPED
            codes = torch.where(turned & hidden, 0.0, codes)
        return super().unclamped(codes)


DROPPED = 0.3
CODE_NAMES = builtin_head().code_names
RULES = ("FAR_WEIGHT", "PULL_WEIGHT", "SHAPE_WEIGHT", "SOLID_WEIGHT", "GUESS_WEIGHT")
AS_BUILT = Variant("as built (K 20, UV 112, detail 3)")
NO_START = Variant("no colour initialisation", {}, {"methods.fit.start_colours": grey_start})
VARIANTS = (
    AS_BUILT,
    NO_START,
    Variant("K 5", {"blendshapes": 5}),
    Variant("K 40", {"blendshapes": 40}),
    Variant("base only", {}, {"avatar.DELTA_UNITS": (0.0, 0.0, 0.0)}),
    Variant("no frame corrections", {}, {"methods.frame_corrections.RATE": 0.0}),
    Variant("no surface rules", {}, {f"methods.surface_rules.{name}": 0.0 for name in RULES}),
    Variant("linear map, no MLP", {}, {"methods.rgbavatar.GroupedWeights": LinearWeights}),
    Variant("UV 64", {"uv_size": 64}),
    Variant("UV 160", {"uv_size": 160}),
    Variant("detail weight 1", {"detail_weight": 1.0}),
    Variant("detail weight 10", {"detail_weight": 10.0}),
    Variant("K 10", {"blendshapes": 10}),
    Variant("L1 alone, no SSIM", {"ssim_share": 0.0}),
    Variant("pose dropout 0.3", {}, {"methods.rgbavatar.GroupedWeights": PoseDropout}),
    Variant("code noise 0.1", {}, {"methods.rgbavatar.CODE_NOISE": 0.1}),
    Variant("one image a step", {"batch": 1}),
    Variant("all at full size", {"half_size_share": 0.0}),
)
"""The most telling first: a run may be stopped."""
