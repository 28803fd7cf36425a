"""What is known of a head's regions before any footage: how far Gaussians may leave the surface,
and what the inside of a mouth looks like when no frame shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..api.baked import Binding
from ..api.head import HeadModel

OFFSET_LIMITS = {
    "lips": 0.003, "eyelids": 0.003, "eyeballs": 0.002, "teeth": 0.003, "tongue": 0.003,
    "mouth": 0.003, "skin": 0.008, "ears": 0.012, "neck": 0.008, "shoulders": 0.02,
}  # fmt: skip
"""Metres without a penalty. The mesh moves lips and lids: what strays from them is left behind."""
FREE = 0.06
"""Where no region is named: hair stands off the scalp, and is tied into buns."""
TINTS = {
    "teeth": (0.58, 0.53, 0.47), "tongue": (0.45, 0.22, 0.21), "mouth": (0.15, 0.06, 0.06),
    "eyeballs": (0.72, 0.70, 0.69),
}  # fmt: skip
"""Colours of regions that are not skin, in indoor light; used where no frame shows them."""
KINDS = ("scalp", "shoulders", *TINTS)
"""Regions whose colour tells nothing of other regions; all the rest is skin."""


SOLID = ("skin", "ears", "neck")
"""Regions that let nothing through."""
INSIDE = ("teeth", "tongue", "mouth")
"""Regions behind the lips, which let a little of them through."""
ROUND = ("scalp", "ears", "neck", "shoulders")
"""Regions that turn away from every camera before them: what is seen there is seen at a slant."""


@dataclass(frozen=True)
class RegionPriors:
    """Per Gaussian."""

    offset_limit: np.ndarray  # [N] metres
    tint: np.ndarray  # [N, 3], NaN where the surroundings tell the colour better
    kind: np.ndarray  # [N] int: colours are only borrowed from the same kind
    solid: np.ndarray  # [N] float32: 1 in SOLID, else 0
    inside: np.ndarray  # [N] bool: in INSIDE
    round: np.ndarray  # [N] bool: in ROUND


def region_priors(head: HeadModel, binding: Binding) -> RegionPriors:
    """The priors of the Gaussians of `binding`, by the names of the head's regions."""
    names = head.region_names
    limits = np.array([OFFSET_LIMITS.get(name, FREE) for name in names], np.float32)
    tints = np.array([TINTS.get(name, (np.nan,) * 3) for name in names], np.float32)
    kinds = np.array([KINDS.index(name) if name in KINDS else -1 for name in names])
    solid = np.array([name in SOLID for name in names], np.float32)
    inside = np.array([name in INSIDE for name in names])
    rounded = np.array([name in ROUND for name in names])
    region = head.face_regions[binding.face]
    return RegionPriors(
        limits[region], tints[region], kinds[region], solid[region], inside[region], rounded[region]
    )
