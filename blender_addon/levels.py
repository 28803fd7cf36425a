"""How many of an avatar's Gaussians a view needs: its level of detail.

A level is a prefix of the Gaussians. Training saw N of them on so many pixels; a view that shows
the head smaller needs fewer for the same number on each pixel. NumPy only.
"""

from __future__ import annotations

import numpy as np

from .cpu_splats import View

SPARE = 2.0  # more than training's density: a level with half the Gaussians is a little coarser


def resolution(view: View, point: np.ndarray) -> float:
    """Pixels per unit of length at a point [3] of the view's world; 0 behind the camera."""
    rows = np.asarray(view.window_matrix) @ np.asarray(view.view_matrix)
    x, y, _, w = rows @ np.append(point, 1.0)
    if w <= 1e-9:
        return 0.0
    across = (rows[0, :3] * w - x * rows[3, :3]) * (view.width / 2 / w**2)
    upwards = (rows[1, :3] * w - y * rows[3, :3]) * (view.height / 2 / w**2)
    return float(max(np.linalg.norm(across), np.linalg.norm(upwards)))


def automatic_level(levels: tuple[int, ...], seen: float, trained: float) -> int:
    """The coarsest of the levels (counts, descending) that is dense enough.

    `seen` and `trained` are the head's resolutions, pixels per metre, in the view and in training.
    """
    needed = SPARE * levels[0] * min(1.0, seen / trained) ** 2
    enough = [level for level, count in enumerate(levels) if count >= min(needed, levels[0])]
    return enough[-1]
