"""Sizes of OMG-Avatar's networks: the paper's (004, 4.1 and 8.2) and ours."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = 3
"""Subdivided 0, 1 and 2 times."""


@dataclass(frozen=True)
class OMGSizes:
    """One configuration."""

    size: int
    """Pictures are read at size x size pixels."""
    width: int
    """Of a vertex's code and features."""
    layers: int
    """Cross-attention layers, at level 0 only."""
    heads: int
    channels: int
    """Colours of a Gaussian, the first three red, green and blue."""
    hidden: int
    """Units of the networks that make Gaussians of features."""
    memory: int = 0
    """Channels of frozen DINOv2 tokens; 0: our own encoder instead."""
    grid: int = 0
    """Side of the fused local features, with frozen tokens."""
    refiner: int = 0
    """Channels of the refiner's first level; 0: none."""


SIZES = {
    "compact": OMGSizes(size=128, width=96, layers=2, heads=4, channels=3, hidden=96),
    "paper": OMGSizes(
        size=518, width=256, layers=2, heads=8, channels=32, hidden=128, memory=768, grid=296,
        refiner=64,
    ),
}  # fmt: skip
