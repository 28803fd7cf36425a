"""A picture that is the mean of many: moments of an open shutter, points of an open lens.

Light adds up: the mean is taken of linear light, as Cycles and EEVEE take it of meshes. Within one
picture Gaussians were learned to blend in display numbers; so besides colour, alpha and depth
there is `spread`, which tells the compositor how much of a pixel's transparency came about by
averaging (an edge that moved) and how much was there in each picture (a strand of hair).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .coordinates import linear_from_srgb, srgb_from_linear
from .cpu_splats import EMPTY_DEPTH, SplatImage

_LEAST_ALPHA = 1e-3  # a Gaussian adds at least 1/255 to a pixel


class Developed(NamedTuple):
    """A layer of Gaussians for the compositor, rows from the bottom up."""

    color: np.ndarray  # [H, W, 4] float32, sRGB numbers premultiplied by alpha
    depth: np.ndarray  # [H, W] float32, metres along the view axis
    spread: np.ndarray  # [H, W] float32, 0 if alpha was the same in all pictures, 1 if 0 or 1
    holdout: np.ndarray  # [H, W] float32, share of what is behind that is cut out


class Exposure:
    """Adds pictures of one size up to their mean."""

    def __init__(self, height: int, width: int) -> None:
        self._pictures = 0
        self._light = np.zeros((height, width, 3), np.float32)  # sum of linear light times alpha
        self._alpha = np.zeros((height, width), np.float32)  # sum
        self._squares = np.zeros((height, width), np.float32)  # sum of alpha^2
        self._cut = np.zeros((height, width), np.float32)  # sum of alpha of avatars that hold out
        self._depth = np.zeros((height, width), np.float32)  # sum weighted by alpha
        self._weight = np.zeros((height, width), np.float32)  # sum of alpha where there is a depth

    def add(self, image: SplatImage, cut: np.ndarray | float = 0.0) -> None:
        """One more picture; `cut` [H, W] is the alpha of avatars that hold out in it."""
        self._pictures += 1
        self._cut += cut
        weight = np.where(image.depth > EMPTY_DEPTH, image.color[..., 3] + cut, 0.0)
        self._depth += weight * image.depth
        self._weight += weight
        box = _box(image.color[..., 3] > _LEAST_ALPHA)  # most of a picture is empty
        color, alpha = image.color[box][..., :3], image.color[box][..., 3]
        straight = color / np.maximum(alpha, _LEAST_ALPHA)[..., None]
        self._light[box] += linear_from_srgb(straight) * alpha[..., None]
        self._alpha[box] += alpha
        self._squares[box] += alpha**2

    def develop(self) -> Developed:
        """The mean picture; its depth is the mean over the pictures that saw something."""
        count = max(self._pictures, 1)
        alpha = self._alpha / count
        color = np.zeros((*alpha.shape, 4), np.float32)
        box = _box(alpha > 0)
        straight = self._light[box] / np.maximum(self._alpha[box], 1e-9)[..., None]
        color[box][..., :3] = srgb_from_linear(straight) * alpha[box][..., None]
        color[..., 3] = alpha
        depth = np.full_like(alpha, EMPTY_DEPTH)
        np.divide(self._depth, self._weight, out=depth, where=self._weight > 0)
        most = alpha - alpha**2  # variance of alpha if every picture had 0 or 1
        spread = np.zeros_like(alpha)
        np.divide(self._squares / count - alpha**2, most, out=spread, where=most > 1e-4)
        # What is behind keeps 1 - alpha - cut; laying the avatars over it takes it times 1 - alpha.
        holdout = self._cut / count / np.maximum(1 - alpha, 1e-6)
        return Developed(color, depth, np.clip(spread, 0, 1), np.clip(holdout, 0, 1))


def _box(seen: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold everything true of [H, W]."""
    ends = []
    for axis in (1, 0):
        places = np.flatnonzero(seen.any(axis=axis))
        ends.append(slice(places[0], places[-1] + 1) if len(places) else slice(0, 0))
    return ends[0], ends[1]
