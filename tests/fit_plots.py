"""The plots of tests/bench_fit.py and its sheets: footage | avatar | difference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from engine.api.baked import BakedAvatar
from engine.clip import TrackedClip
from engine.imaging import resize
from engine.metrics import on_black, psnr
from engine.pictures import labelled, sheet
from engine.render import render_performance

SHEET_FRAMES, SHEET_COLUMNS, TILE = 6, 2, 256
AMPLIFIED = 4
MOST_BYTES = 200_000


class Curve(NamedTuple):
    """Points of one line, in order."""

    x: list[float]
    y: list[float]


def plot_curves(path: Path, curves: Mapping[str, Curve], x_label: str, y_label: str) -> None:
    """The curves by name, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    for name, curve in curves.items():
        axes.plot(curve.x, curve.y, marker="o", markersize=3, label=name)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def difference_sheet(path: Path, baked: BakedAvatar, clip: TrackedClip) -> dict[int, float]:
    """Held-out frames of the avatar's own performance, posed as it was measured, as a JPEG of at
    most MOST_BYTES: footage | avatar | absolute difference, amplified. Returns each one's PSNR."""
    tests = baked.performance.test_frames
    frames = tests[np.unique(np.linspace(0, len(tests) - 1, SHEET_FRAMES).round().astype(int))]
    renders = render_performance(baked, baked.performance.params[frames], clip.camera)
    tiles, found = [], {}
    for index, (rgb, _) in zip(frames.tolist(), renders, strict=True):
        image, target = np.clip(rgb, 0, 1), on_black(clip.frame(index))
        difference = np.clip(np.abs(image - target) * AMPLIFIED, 0, 1)
        row = [resize(part.astype(np.float32), TILE, TILE) for part in (target, image, difference)]
        found[index] = psnr(image, target)
        label = f"frame {index}: {found[index]:.1f} dB"
        tiles.append(labelled(np.concatenate(row, axis=1), label))
    _save(path, tiles)
    return found


def _save(path: Path, tiles: list[np.ndarray]) -> None:
    picture = Image.fromarray(sheet(tiles, SHEET_COLUMNS))
    for quality in range(90, 40, -10):
        picture.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
