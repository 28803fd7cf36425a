"""Avatars of one clip beside each other: a picture, and how fast each is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .api.baked import BakedAvatar
from .metrics import on_black
from .pictures import labelled, sheet
from .render import render_arrays, render_baked, source_camera

if TYPE_CHECKING:
    from .clip import TrackedClip

ROWS = 5
"""Frames of the picture."""
TIMED = 12
"""Frames whose median is the time; the first is not counted."""


def side_by_side(
    avatars: Mapping[str, BakedAvatar], clip: TrackedClip, frames: np.ndarray
) -> np.ndarray:
    """Footage | one avatar | the next, a row for each of some of the frames, as one image."""
    picked = frames[np.unique(np.linspace(0, len(frames) - 1, ROWS).round().astype(int))]
    tiles = []
    for index in picked.tolist():
        tiles.append(labelled(on_black(clip.frame(index)), f"frame {index}"))
        for name, baked in avatars.items():
            rgb, _ = render_baked(baked, baked.performance.params[index], clip.camera)
            tiles.append(labelled(rgb, name))
    return sheet(tiles, 1 + len(avatars))


def speed(baked: BakedAvatar) -> tuple[float, float]:
    """Median milliseconds to evaluate a pose (NumPy, as Blender does) and to draw it."""
    camera, count = source_camera(baked), len(baked.performance.times)
    evaluated, drawn = [], []
    for index in np.linspace(0, count - 1, TIMED).round().astype(int):
        start = time.perf_counter()
        gaussians = baked.pose(baked.performance.params[[index]])
        middle = time.perf_counter()
        list(render_arrays(gaussians, [camera], None))
        evaluated.append(middle - start)
        drawn.append(time.perf_counter() - middle)
    return 1e3 * float(np.median(evaluated[1:])), 1e3 * float(np.median(drawn[1:]))
