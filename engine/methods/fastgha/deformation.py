"""FastGHA's deformation network (paper 003 eq. 4): expression code -> offsets of each Gaussian."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ..feedforward.layers import quiet_start, waves

FREQUENCIES = 6
LONGEST = 0.5
"""Metres of the encoding's longest wave."""
POSITION_UNIT, COLOUR_UNIT = 0.02, 0.5
"""Of the offsets: metres of the surface's tangent frame, and colour. Triangles carry Gaussians
already, so these are what the mesh does not say."""


class Deformation(nn.Module):
    """D of eq. 4. Acts on every Gaussian alone."""

    def __init__(self, feature: int, code: int, hidden: int, hidden_layers: int) -> None:
        """`feature` numbers of a Gaussian, `code` of the expression; `hidden_layers` of `hidden`
        units."""
        super().__init__()
        self.of_gaussian = nn.Linear(feature + 3 + 6 * FREQUENCIES, hidden)
        self.of_code = nn.Linear(code, hidden, bias=False)
        self.hidden = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(hidden_layers - 1))
        self.out = nn.Linear(hidden, 6)
        quiet_start(self.out)

    def prepared(self, features: Tensor, places: Tensor) -> Tensor:
        """What the Gaussians say to the first layer [N, hidden]: features [N, .] and canonical
        places [N, 3] in metres."""
        encoded = waves(places, FREQUENCIES, 2 * math.pi / LONGEST)
        return self.of_gaussian(torch.cat([features, places, encoded], dim=-1))

    def forward(self, prepared: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets of means [B, N, 3] in metres and of colours [B, N, 3] for codes [B, C]."""
        # The first layer is a sum of what the Gaussian says and what the code says.
        values = leaky_relu(prepared + self.of_code(codes)[:, None])
        for layer in self.hidden:
            values = leaky_relu(layer(values))
        means, colors = self.out(values).split(3, dim=-1)
        return means * POSITION_UNIT, colors * COLOUR_UNIT
