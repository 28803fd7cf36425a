"""The protocol of the feed-forward methods: views of a person in, an avatar out, in one pass.

A method regresses raw Gaussians in the tangent frames of a binding on the person's own head, so
that what it returns is an ordinary `Avatar`: `bake`, Blender and the exports need nothing new.
It does not know where views come from, nor how it is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...avatar import Avatar
from ...rasterize import rasterize
from .views import Views

CONFIGS = ("compact", "paper")
"""Our own small network that trains here, and the paper's sizes with its frozen encoder."""


class FeedForward(nn.Module):
    """Regresses an avatar from views.

    A constructor takes the name of a configuration, one of CONFIGS. Random draws use torch's global
    generator, in training only: `eval()` makes it deterministic.
    """

    def __init__(self, config: str) -> None:
        super().__init__()
        self.config = config
        self.recompute = False
        self.mixed = False

    def forward(self, sources: Views) -> Avatar:
        """The avatar of the person whom `sources` show: everything it needs, computed once. Its
        tensors carry gradients to the network."""
        raise NotImplementedError

    def loss(self, sources: Views, targets: Views, step: float) -> tuple[Tensor, dict[str, float]]:
        """What training minimises, and its named terms for the curves. `targets` show the person of
        `sources`; `step` says how much of the training is done, 0 to 1."""
        raise NotImplementedError

    def begin(self) -> None:
        """What a first training starts from beyond random numbers: published weights, where the
        paper has them. Raises ModelError when they are not there."""

    def run(self, block: nn.Module, *inputs: Any) -> Any:
        """A block's output. With `recompute` its activations are computed again in the backward
        pass instead of being kept (gradient checkpointing: half the memory, a third more time).
        With `mixed` it computes in bfloat16 where that does no harm; geometry, which is computed
        outside of blocks, never does."""
        device = next(block.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.mixed):
            if self.recompute and self.training and torch.is_grad_enabled():
                result = checkpoint(block, *inputs, use_reentrant=False)
            else:
                result = block(*inputs)
        return _float32(result)


def _float32(result: Any) -> Any:
    """A block's output, a tensor or a tuple of them (also a named one), in single precision."""
    if isinstance(result, Tensor):
        return result.float()
    if isinstance(result, tuple):
        parts = [_float32(part) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return result


def render(avatar: Avatar, views: Views) -> tuple[Tensor, Tensor, Tensor]:
    """The avatar as the views should see it: colours [V, H, W, D] on black, alphas [V, H, W, 1] and
    accumulated depths [V, H, W, 1]."""
    return rasterize(avatar.carried(views.codes, views.vertices), views.cameras)


def _lazily(module: str, name: str) -> Callable[[str], FeedForward]:
    """A constructor that imports its module on the first call."""

    def construct(config: str) -> FeedForward:
        return getattr(import_module(module, __package__), name)(config)

    return construct


MODELS: dict[str, Callable[[str], FeedForward]] = {
    "omgavatar": _lazily("..omgavatar.model", "OMGAvatar"),
    "fastgha": _lazily("..fastgha.model", "FastGHA"),
    "fastavatar": _lazily("..fastavatar.model", "FastAvatar"),
}
"""Constructors by the method's name, called with one of CONFIGS."""
