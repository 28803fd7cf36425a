"""What is assumed of points before the network says more: the colour of those that a frame does not
see, and which frame's Gaussian of a point should stay. Ours, so that little training is enough."""

from __future__ import annotations

import torch
from torch import Tensor

from .local_features import Seen
from .points import HeadPoints

TINT_WEIGHT = 20.0
"""Seen points that a region's usual colour is worth."""
SEEN_HERE, SEEN_ELSEWHERE, SEEN_NOWHERE = 3.0, -2.0, 2.0
"""First importance, as a logit, of a point that its frame sees, that only others see, or none."""


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


def first_importance(seen: Seen) -> Tensor:
    """Logits [F, N, 1] of staying before the network says anything."""
    anywhere = seen.seen.amax(0, keepdim=True)
    unseen = torch.where(anywhere > 0, SEEN_ELSEWHERE, SEEN_NOWHERE)
    return torch.where(seen.seen > 0, SEEN_HERE, unseen)
