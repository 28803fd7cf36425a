"""What baking and levels of detail cost, in dB on held-out frames posed by the avatar.

    python -m tests.bench_methods [CLIP] [--preset standard] [--seconds 0] [--plot PNG]

CLIP is the folder of a tracked clip; without it, the ray-traced stand-in of the tests.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from engine.api.baked import BakedAvatar, GaussianArrays
from engine.api.settings import METHODS, PRESETS
from engine.avatar import Avatar
from engine.bake import bake
from engine.bake_error import bake_error
from engine.clip import TrackedClip
from engine.levels import importance
from engine.linearisation import decompose
from engine.methods.flashavatar import reconstruct
from engine.methods.photometric import track_by_avatar
from engine.methods.progress import Progress
from engine.metrics import evaluate, held_out, on_black, psnr
from engine.render import render_arrays
from tests.engine.test_reconstruct_job import write_ellipsoid

COUNTS = (4, 8, 16, 24, 40)
MEASURED = 16
"""Held-out frames."""


def main() -> None:
    """Fit FlashAvatar and print both tables."""
    parser = argparse.ArgumentParser(description="Curves of FlashAvatar's bake and levels.")
    parser.add_argument("clip", nargs="?", help="folder of a tracked clip")
    parser.add_argument("--preset", choices=PRESETS, default="standard")
    parser.add_argument("--seconds", type=float, default=0.0, help="of the fit; 0 has no limit")
    parser.add_argument("--plot", help="PNG to draw the first table to")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        given = options.clip or write_ellipsoid(Path(folder) / "clip").directory
        measure(TrackedClip.load(given), options)


def measure(clip: TrackedClip, options: argparse.Namespace) -> None:
    """Fit, bake, print, draw."""
    tests = held_out(len(clip))
    train = np.setdiff1d(np.arange(len(clip)), tests)
    settings = METHODS["flashavatar"].presets[options.preset]
    settings = replace(settings, size=min(settings.size, clip.camera.width))
    *_, last = reconstruct(clip, settings, train_frames=train, max_seconds=options.seconds or None)
    posed = posed_by_avatar(clip, last, tests)
    rows = tables(last.avatar, bake(last.avatar, posed, {}, tests), posed)
    if options.plot:
        draw(rows, Path(options.plot))


def posed_by_avatar(clip: TrackedClip, last: Progress, tests: np.ndarray) -> TrackedClip:
    """The clip with its training frames as the fit corrected them, the others by their picture."""
    fitted = replace(clip, params=last.params or clip.params)
    return replace(fitted, params=track_by_avatar(last.avatar, fitted, tests))


def tables(avatar: Avatar, baked: BakedAvatar, clip: TrackedClip) -> list[dict[str, float]]:
    """Print both tables; the rows of the first."""
    tests = baked.performance.test_frames
    train = np.setdiff1d(np.arange(len(clip)), tests)
    shown = tests[np.unique(np.linspace(0, len(tests) - 1, MEASURED).round().astype(int))]
    rows = bake_curve(avatar, baked, clip, train, shown)
    print(bake_table(rows, un_baked_psnr(avatar, clip, shown)))
    print(level_table(baked, clip, shown))
    return rows


def bake_curve(
    avatar: Avatar, baked: BakedAvatar, clip: TrackedClip, train: np.ndarray, shown: np.ndarray
) -> list[dict[str, float]]:
    """For several K: held-out PSNR, and PSNR against the un-baked avatar."""
    codes = torch.from_numpy(np.asarray(clip.head.code(clip.params[train]), np.float32))
    found = decompose(avatar, codes, importance(avatar, baked.performance))
    rows = []
    for count in COUNTS:
        base, deltas, weight_map = found.linear(most=count, left_over=0.0)
        one = replace(
            baked,
            binding=avatar.binding,
            base=base,
            deltas=deltas,
            weight_map=weight_map,
            levels=(len(base),),
            level_offsets=(),
        )
        held_out_psnr = float(evaluate(one, clip, shown)["psnr"])
        error = bake_error(avatar, one, clip)
        rows.append({"blendshapes": len(deltas), "held_out": held_out_psnr, **error})
    return rows


def bake_table(rows: Sequence[dict[str, float]], un_baked: float) -> str:
    """The curve as a table."""
    lines = [
        f"FlashAvatar, un-baked {un_baked:.2f} dB held out",
        "| K | held out dB | against un-baked dB | sliders dB | worst slider dB |",
        "|--:|--:|--:|--:|--:|",
    ]
    form = "| {blendshapes} | {held_out:.2f} | {psnr:.1f} | {psnr_sliders:.1f} |"
    lines += [f"{form.format(**row)} {row['psnr_worst_slider']:.1f} |" for row in rows]
    return "\n".join(lines) + "\n"


def level_table(baked: BakedAvatar, clip: TrackedClip, shown: np.ndarray) -> str:
    """Held-out PSNR and SSIM of every level of detail, and of its Gaussians as in the whole."""
    lines = ["| Gaussians | held out dB | SSIM | adding nothing, dB |", "|--:|--:|--:|--:|"]
    for count in baked.levels:
        scores = evaluate(baked, clip, shown, count=count)
        bare = evaluate(replace(baked, level_offsets=()), clip, shown, count=count)
        row = f"| {count} | {scores['psnr']:.2f} | {scores['ssim']:.3f} | {bare['psnr']:.2f} |"
        lines.append(row)
    return "\n".join(lines) + "\n"


def un_baked_psnr(avatar: Avatar, clip: TrackedClip, shown: np.ndarray) -> float:
    """Mean PSNR of frames drawn with the avatar itself."""
    ratios = []
    for index in shown.tolist():
        with torch.no_grad():
            exact = avatar.pose(clip.params[[index]])
        arrays = GaussianArrays(*(part.cpu().numpy() for part in exact))
        rgb, _ = next(render_arrays(arrays, [clip.camera], None))
        ratios.append(psnr(np.clip(rgb, 0, 1), on_black(clip.frame(index))))
    return float(np.mean(ratios))


def draw(rows: Sequence[dict[str, float]], path: Path) -> None:
    """PSNR against the un-baked avatar by the number of blendshapes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    counts = [row["blendshapes"] for row in rows]
    names = {
        "psnr": "held-out frames",
        "psnr_sliders": "single sliders, mean",
        "psnr_worst_slider": "single sliders, worst",
    }
    for key, label in names.items():
        axes.plot(counts, [row[key] for row in rows], marker="o", label=label)
    axes.set(xlabel="blendshapes K", ylabel="baked against un-baked, dB")
    axes.set_title("FlashAvatar baked to blendshapes", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
