"""Sizes of FastGHA's networks: the paper's (003, Table 4) and ours."""

from __future__ import annotations

from dataclasses import dataclass

RAYS = 6
"""Plücker coordinates."""
ATTRIBUTES = 12
"""Of a pixel's Gaussian beside its feature: depth 1, colour 3, quat 4, log scale 3, opacity 1. With
the paper's 32 features these are its 44 outputs."""
EXPRESSION_CODE = 51
"""Numbers of the built-in head's code; the paper's FLAME code has 120."""


@dataclass(frozen=True)
class FastGHASizes:
    """One configuration."""

    size: int
    """Pictures are read at size x size pixels."""
    width: int
    """Of the multi-view transformer's tokens, one for each 8 x 8 pixels."""
    layers: int
    """Self-attention layers over the tokens of all views."""
    heads: int
    feature: int
    """Numbers that a Gaussian carries for the deformation network."""
    hidden: int
    """Units of each of the deformation network's hidden layers."""
    hidden_layers: int
    dino: int = 0
    """Channels of the fused DINOv3 features; 0: our own encoder instead of frozen ones."""
    latent: int = 0
    """Channels of SD-Turbo's latent picture."""


SIZES = {
    "compact": FastGHASizes(128, 128, 4, 4, feature=16, hidden=48, hidden_layers=3),
    "paper": FastGHASizes(
        512, 512, 8, 8, feature=32, hidden=256, hidden_layers=6, dino=256, latent=4
    ),
}
