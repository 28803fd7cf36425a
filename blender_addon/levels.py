"""How many of an avatar's Gaussians a view needs: its level of detail.

A level is a prefix of the Gaussians. How coarse it may be where the head is small was measured on
a trained avatar (docs/benchmarks.md): half of them at half the training's resolution differ by 42
dB or more, a quarter by 30 from beside, so those wait until the head is tiny. NumPy only.
"""

from __future__ import annotations

import numpy as np

from .cpu_splats import View


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
    """The coarsest of the levels (counts, descending) that is fine enough.

    `seen` and `trained` are the head's resolutions, pixels per metre, in the view and in training.
    """
    # Half of the Gaussians from half the resolution on, a quarter from an eighth.
    share = np.sqrt(seen / trained / 2) if seen <= trained / 2 else 1.0
    return max(level for level, count in enumerate(levels) if count >= int(levels[0] * share))
