"""What is assumed of points before the network says more: the colour of those that a frame does not
see, and which frame's Gaussian of a point should stay. Ours, so that little training is enough."""

from __future__ import annotations

import torch
from torch import Tensor

from .local_features import Seen
from .points import HeadPoints

TINT_WEIGHT = 20.0
"""Seen points that a region's usual colour is worth."""
SEEN_BEST, SEEN_WELL, SEEN_LESS = 3.0, -0.5, -1.5
"""First importance, as a logit, of a frame's Gaussian of a point that this frame sees best of all,
second best, or less well: what many frames tell of one place never quite agrees, and blends to a
blur."""
UNSEEN_HERE, UNSEEN = -2.0, 2.0
"""The same of a point that only other frames see, or none."""
EXPRESSION_COST = 0.05
"""What the length of an expression code takes from the cosine at which a point is seen: a neutral
face shows skin as it is, and eyes that are open."""


def unseen_colors(seen: Seen, points: HeadPoints) -> Tensor:
    """Colours [N, 3] of the points' regions: the mean of those that any frame sees, pulled to the
    region's usual colour, which is that of all that is seen where no other is known."""
    weight = seen.seen
    everywhere = (seen.colors * weight).sum((0, 1)) / weight.sum().clamp_min(1)
    usual = torch.where(points.tints.isnan(), everywhere, points.tints)
    sums = (TINT_WEIGHT * usual).index_add(0, points.region, (seen.colors * weight).sum(0))
    counts = torch.full_like(usual[:, :1], TINT_WEIGHT)
    counts = counts.index_add(0, points.region, weight.sum(0))
    return (sums / counts)[points.region]


def quality(seen: Seen, codes: Tensor) -> Tensor:
    """How well [F, N] frames with expression codes [F, C] show the points, -inf where not at
    all."""
    well = seen.facing[..., 0] - EXPRESSION_COST * codes.norm(dim=-1, keepdim=True)
    return well.masked_fill(seen.seen[..., 0] == 0, -torch.inf)


def first_importance(qualities: Tensor) -> Tensor:
    """Logits [F, N] of staying, among these frames, before the network says anything."""
    rank = qualities.argsort(dim=0, descending=True).argsort(dim=0)
    here = torch.tensor([SEEN_BEST, SEEN_WELL, SEEN_LESS]).to(qualities)[rank.clamp_max(2)]
    seen = qualities.isfinite()
    return torch.where(seen, here, torch.where(seen.any(0), UNSEEN_HERE, UNSEEN))
