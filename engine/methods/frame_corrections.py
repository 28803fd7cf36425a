"""What a fit adds to the tracked params of each frame, because the avatar shows where they are off.

Landmarks place the features of a face to a pixel; ears, hair and neck, which have none, end up
several pixels off, and what is off in training is blurred.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..api.head import HeadModel, HeadParams
from ..heads.posing import TorchHead

LIKELY = {"rotation": 0.02, "translation": 0.003, "neck": 0.02, "expression": 0.08}
"""Standard deviations of what landmarks leave: radians, metres, radians, full expressions."""
RATE = 0.06
"""How far one look at a training frame moves it, in units of LIKELY."""
DOUBT = 2e-5
"""Weight of the prior: what one number off by its LIKELY costs, in mean absolute error."""


class FrameCorrections(nn.Module):
    """Corrections of S frames' params, zero at first. Gaze stays as the irises gave it."""

    corrected_expressions: Tensor

    def __init__(self, head: HeadModel, frames: int) -> None:
        super().__init__()
        self.head = TorchHead(head)
        names = head.expression_names
        moved = torch.tensor([not name.startswith("eyeLook") for name in names])
        self.register_buffer("corrected_expressions", moved.float())  # [E]
        sizes = {name: len(names) if name == "expression" else 3 for name in LIKELY}
        self.deltas = nn.ParameterDict(  # each [S, .] in units of LIKELY
            {name: nn.Parameter(torch.zeros(frames, size)) for name, size in sizes.items()}
        )

    def params(self, tracked: HeadParams, index: Tensor) -> HeadParams:
        """Corrected params of the frames `index` [B], differentiable by the corrections;
        `tracked` are tensors with a leading axis S."""
        found = dict(vars(tracked[index]))
        for name, delta in self.deltas.items():
            change = delta[index] * LIKELY[name]
            if name == "expression":
                # A coefficient that landmarks put below zero may stay there.
                floor = found[name].clamp_max(0)
                change = change * self.corrected_expressions
                found[name] = torch.maximum(found[name] + change, floor)
            else:
                found[name] = found[name] + change
        return HeadParams(**found)

    def posed(self, tracked: HeadParams, index: Tensor) -> tuple[Tensor, Tensor]:
        """Codes [B, C] and posed vertices [B, V, 3] of the frames `index` [B]."""
        params = self.params(tracked, index)
        return self.head.code(params), self.head.pose(params)

    def penalty(self, index: Tensor) -> Tensor:
        """What the corrections of the frames `index` [B] cost, mean over them."""
        squares = [delta[index].square().sum(-1).mean() for delta in self.deltas.values()]
        return DOUBT * torch.stack(squares).sum()

    def learning(self, batch: int) -> dict[str, Any]:
        """Adam's group for steps of `batch` frames. Without momentum, or a frame would move on long
        after it was looked at; between two looks at one frame its second moment hardly decays,
        hence the root."""
        looks = max(1.0, len(self.deltas["neck"]) / batch)
        rate = RATE / math.sqrt(looks)
        return {"params": list(self.deltas.values()), "first": rate, "betas": (0.0, 0.999)}

    @torch.no_grad()
    def corrected(self, tracked: HeadParams) -> HeadParams:
        """All S corrected params as NumPy arrays."""
        every = torch.arange(len(tracked), device=self.corrected_expressions.device)
        found = self.params(tracked, every)
        return HeadParams(**{name: value.cpu().numpy() for name, value in vars(found).items()})
