"""From features to raw Gaussians: one network for each level of the head, one for the shoulders."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from ..feedforward.layers import quiet_start

START_SIZE = 0.6
"""First standard deviation in units of the distance between neighbours."""
SIZE_RANGE = 1.5
"""The log of how much larger or smaller a Gaussian may become."""
FIRST_OPACITY, FIRST_MIX = 2.0, 1.0
"""As logits: of a Gaussian; of the picture's own colour where it is seen."""
REST = 9
"""Numbers beside the colours: opacity 1, scale 3, quat 4, share of the picture's colour 1."""


class Attributes(nn.Module):
    """Two layers from a feature to a Gaussian (paper 004, eq. 7)."""

    def __init__(self, width: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.enter = nn.Linear(width, hidden)
        self.leave = nn.Linear(hidden, channels + REST)
        quiet_start(self.leave)

    def forward(
        self, features: Tensor, spacing: Tensor, seen: Tensor, trust: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Raw numbers [n, 11] but for the mean (quat 4, log scale 3, opacity 1, colour 3) and the
        channels [n, channels - 3] beyond red, green and blue. `seen` [n, 3] are the picture's own
        colours, `trust` [n] 0..1 whether there are any; `spacing` [n] is in metres."""
        numbers = self.leave(gelu(self.enter(features))).float()
        colours, rest = numbers[:, : self.channels], numbers[:, self.channels :]
        opacity, scale, quat, mix = rest.split((1, 3, 4, 1), dim=-1)
        share = trust[:, None] * (mix + FIRST_MIX).sigmoid()
        rgb = colours[:, :3].sigmoid()
        raw = torch.cat(
            [
                quat + quat.new_tensor([1.0, 0, 0, 0]),
                (START_SIZE * spacing).log()[:, None] + SIZE_RANGE * (scale / SIZE_RANGE).tanh(),
                opacity + FIRST_OPACITY,
                rgb + share * (seen - rgb),
            ],
            dim=-1,
        )
        return raw, colours[:, 3:]
