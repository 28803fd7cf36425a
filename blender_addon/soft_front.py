"""The soft-front depth: one depth for what many half-transparent Gaussians show in a pixel.

z = -ln(mean of exp(-c z_i)) / c, the mean taken with the blending weights, is the first surface for
large c and blends in what shines through for small c. float32 holds exp(-c z) over some 80/c only,
about half a metre for a head; so the empty space between heads is taken out first and put back
afterwards. NumPy only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GAP = 0.1  # metres without a single Gaussian that are between heads, not inside one


class DepthScale(NamedTuple):
    """Depths z and the places u they have once gaps are closed; straight lines between them."""

    depths: np.ndarray  # [M] ascending, metres in front of the camera
    places: np.ndarray  # [M] ascending, metres from the nearest Gaussian

    def place(self, depths: np.ndarray) -> np.ndarray:
        """u [...] of depths [...]."""
        return np.interp(depths, self.depths, self.places)

    def depth(self, sums: np.ndarray, alphas: np.ndarray, sharpness: float) -> np.ndarray:
        """Depths [...] of blended exp(-c u) [...] and alphas [...], both above 0."""
        places = -np.log(sums / alphas) / sharpness
        return np.interp(places, self.places, self.depths)


def close_gaps(depths: np.ndarray) -> DepthScale:
    """The scale of Gaussians at depths [N] in any order."""
    if not len(depths):
        return DepthScale(np.zeros(1), np.zeros(1))
    ascending = np.sort(depths).astype(np.float64)
    before = np.flatnonzero(np.diff(ascending) > GAP)
    ends = np.concatenate([[0], np.stack([before, before + 1], -1).ravel(), [len(depths) - 1]])
    knots = ascending[ends]
    steps = np.diff(knots)
    steps[1::2] = GAP  # every second stretch is a gap
    return DepthScale(knots, np.concatenate([[0.0], np.cumsum(steps)]))
