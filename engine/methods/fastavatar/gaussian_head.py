"""The head that turns point tokens into Gaussians (paper 002, 3.2): two-layer networks, shared by
all points of all frames."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from ..feedforward.layers import quiet_start
from ..feedforward.views import Views
from .completion import first_importance, quality, unseen_colors
from .local_features import SEEN, LocalFeatures, Seen
from .points import HeadPoints

REACH = 0.1
"""Metres: offsets are (sigmoid - 1/2) times twice this, as in the paper's code."""
SIZE_RANGE = 2.0
"""The log of how much larger or smaller than its spacing a Gaussian may become."""
LARGEST = 0.015
"""Metres of a standard deviation."""
START_SIZE = 0.7
FIRST_OPACITY, FIRST_IMPORTANCE, FIRST_TRUST = 1.0, 3.0, 2.0
"""As logits: of Gaussians, of being kept (as in the paper's code), of the picture's colour where it
is seen."""


class FrameGaussians(NamedTuple):
    """Gaussians of F frames on the N points of the head, each frame's a whole avatar g_i."""

    raw: Tensor  # [F, N, 14] in tangent space
    importance: Tensor  # [F, N] what the network says of staying, a logit
    quality: Tensor  # [F, N] how well the frame shows the point; NaN where nobody asks

    def of(self, frames: list[int]) -> FrameGaussians:
        """Those of some frames."""
        return FrameGaussians(*(field[frames] for field in self))

    @property
    def standing(self) -> Tensor:
        """Logits [F, N] of staying among these frames: a Gaussian that is best among few may be one
        too many among more."""
        if self.quality.isnan().any():
            return self.importance + FIRST_IMPORTANCE
        return self.importance + first_importance(self.quality)


class PointNetwork(nn.Module):
    """Two layers on what a point reads of tokens, where it lies and what it sees. The first layer
    is a sum, so that tokens go through it before they are spread over the points."""

    def __init__(self, width: int, position: int, seen: int, hidden: int, out: int) -> None:
        super().__init__()
        self.of_tokens = nn.Linear(width, hidden)
        self.of_place = nn.Linear(position, hidden, bias=False)
        self.of_seen = nn.Linear(seen, hidden, bias=False) if seen else None
        self.out = nn.Linear(hidden, out)
        quiet_start(self.out)

    def forward(self, tokens: Tensor, points: HeadPoints, seen: Tensor | None) -> Tensor:
        """Values [F, N, out] of tokens [F, P, D] and what the points see [F, N, .]."""
        values = points.read(self.of_tokens(tokens)) + self.of_place(points.waves)
        if self.of_seen is not None and seen is not None:
            values = values + self.of_seen(seen)
        return self.out(silu(values))


class GaussianHead(nn.Module):
    """Offsets first; then, seen from where the offsets put them, all the rest."""

    def __init__(self, width: int, position: int, local: int, hidden: int) -> None:
        """`local` channels of picture features that points read, or 0."""
        super().__init__()
        seen = local + SEEN if local else 0
        self.offset = PointNetwork(width, position, seen, hidden, 3)
        # Colour 3, trust 1, opacity 1, scale 3, quat 4, importance 1.
        self.rest = PointNetwork(width, position, seen, hidden, 13)

    def forward(
        self, tokens: Tensor, points: HeadPoints, views: Views, local: LocalFeatures | None
    ) -> FrameGaussians:
        """Gaussians of the frames' point tokens [F, P, D]."""
        frame, _, origin = points.surface.frames(views.vertices.float())
        normals = frame[..., 2]
        before = local.at(origin, normals).features if local else None
        means = 2 * REACH * (self.offset(tokens, points, before).float().sigmoid() - 0.5)
        moved = (frame * means[..., None, :]).sum(-1) + origin
        after = local.at(moved, normals) if local else None
        rest = self.rest(tokens, points, after.features if after else None).float()
        color, trust, opacity, scale, quat, importance = rest.split((3, 1, 1, 3, 4, 1), dim=-1)
        first = (points.spacing + math.log(START_SIZE))[:, None]
        raw = torch.cat(
            [
                means,
                quat + quat.new_tensor([1.0, 0, 0, 0]),
                (first + SIZE_RANGE * (scale / SIZE_RANGE).tanh()).clamp_max(math.log(LARGEST)),
                opacity + FIRST_OPACITY,
                _colors(color, trust, after, points),
            ],
            dim=-1,
        )
        unasked = torch.full_like(importance[..., 0], torch.nan)
        well = quality(after, views.codes) if after else unasked
        return FrameGaussians(raw, importance[..., 0], well)


def _colors(color: Tensor, trust: Tensor, seen: Seen | None, points: HeadPoints) -> Tensor:
    """Colours [F, N, 3] of what the network says [F, N, 3]: in the paper all; in ours how they
    differ from the region's, and how far the picture's are trusted [F, N, 1] instead."""
    if seen is None:
        return color.sigmoid()
    trusted = seen.seen * (trust + FIRST_TRUST).sigmoid()
    return trusted * seen.colors + (1 - trusted) * unseen_colors(seen, points) + color.tanh() / 2
