"""What baking FlashAvatar and levels of detail cost, in dB on held-out frames.

    python -m tests.bench_methods [CLIP] [--preset NAME] [--seconds 0] [--images 400] [--plot PNG]

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

from engine.api.baked import BakedAvatar, GaussianArrays, Performance
from engine.api.settings import METHODS, PRESETS
from engine.avatar import Avatar
from engine.bake import bake, performance_of
from engine.bake_error import bake_error
from engine.clip import TrackedClip
from engine.levels import importance
from engine.linear_avatar import LinearAvatar
from engine.linearisation import decompose
from engine.methods.flashavatar import reconstruct
from engine.methods.photometric import track_by_avatar
from engine.methods.settling import settle
from engine.metrics import evaluate, held_out, on_black, psnr
from engine.render import render_arrays
from tests.engine.test_reconstruct_job import write_ellipsoid

COUNTS = (4, 8, 16, 24, 40)
MEASURED = 8
"""Held-out frames."""
COLUMNS = {
    "blendshapes": "K",
    "svd": "SVD, un-baked's poses",
    "learned": "learned, un-baked's poses",
    "svd_posed": "SVD, own poses",
    "learned_posed": "learned, own poses",
    "psnr": "against un-baked",
    "psnr_sliders": "sliders",
    "psnr_worst_slider": "worst slider",
}


def main() -> None:
    """Fit FlashAvatar and print both tables."""
    parser = argparse.ArgumentParser(description="Curves of FlashAvatar's bake and levels.")
    parser.add_argument("clip", nargs="?", help="folder of a tracked clip")
    parser.add_argument("--preset", choices=PRESETS, default="standard")
    parser.add_argument("--seconds", type=float, default=0.0, help="of the fit; 0 has no limit")
    parser.add_argument("--images", type=int, default=400, help="of each sum's own fit")
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
    fitted = replace(clip, params=last.params or clip.params)
    rows = bake_curve(last.avatar, fitted, tests, options.images)
    if options.plot and rows:
        draw(rows, Path(options.plot))
    shown = measured(tests)
    posed = replace(fitted, params=track_by_avatar(last.avatar, fitted, shown))
    print(level_table(bake(last.avatar, posed, {}, tests), posed, shown))


def measured(tests: np.ndarray) -> np.ndarray:
    """The held-out frames that are looked at, spread over all."""
    return tests[np.unique(np.linspace(0, len(tests) - 1, MEASURED).round().astype(int))]


def bake_curve(
    avatar: Avatar, clip: TrackedClip, tests: np.ndarray, images: int
) -> list[dict[str, float]]:
    """Prints, for several K, PSNR of held-out frames by the blendshapes of the SVD and by those
    that then learned from `images`: posed by the un-baked avatar, and by themselves. And how far
    the latter are from the un-baked avatar, in frames and sliders."""
    train, shown = np.setdiff1d(np.arange(len(clip)), tests), measured(tests)
    codes = torch.from_numpy(np.asarray(clip.head.code(clip.params[train]), np.float32))
    shot = performance_of(clip, tests)
    found = decompose(avatar, codes, importance(avatar, shot))
    posed = posed_by(avatar, clip, shown)
    un_baked = held_out_psnr(avatar, posed, shown)
    print(f"un-baked {un_baked:.2f} dB", flush=True)
    if not found.parts:
        print("Nothing moves after so short a fit: there are no blendshapes to compare.")
        return []
    print(f"| {' | '.join(COLUMNS.values())} |\n{'|--:' * len(COLUMNS)}|", flush=True)
    rows = []
    for count in COUNTS:
        deltas, network = found.blendshapes(most=count, left_over=0.0)
        summed = LinearAvatar(avatar.head, avatar.binding, found.base, deltas, network)
        row: dict[str, float] = {"blendshapes": len(deltas), "un_baked": un_baked}
        row |= both_ways("svd", summed, clip, posed, shown)
        settle(summed, clip, train, images)
        row |= both_ways("learned", summed, clip, posed, shown)
        row |= bake_error(avatar, plainly_baked(summed, codes, shot), posed)
        print("| " + " | ".join(f"{row[name]:.4g}" for name in COLUMNS) + " |", flush=True)
        rows.append(row)
    return rows


def both_ways(
    name: str, summed: LinearAvatar, clip: TrackedClip, posed: TrackedClip, shown: np.ndarray
) -> dict[str, float]:
    """PSNR in the poses of the un-baked avatar, and in its own."""
    own = posed_by(summed, clip, shown)
    return {
        name: held_out_psnr(summed, posed, shown),
        f"{name}_posed": held_out_psnr(summed, own, shown),
    }


def posed_by(avatar: Avatar, clip: TrackedClip, shown: np.ndarray) -> TrackedClip:
    """The clip with these frames posed by how the avatar looks in them."""
    return replace(clip, params=track_by_avatar(avatar, clip, shown))


def plainly_baked(summed: LinearAvatar, codes: torch.Tensor, shot: Performance) -> BakedAvatar:
    """The sum as a file would have it, without order and levels."""
    base, deltas, weight_map = summed.linear(codes)
    binding, levels = summed.binding, (len(base),)
    return BakedAvatar("", summed.head, binding, base, deltas, weight_map, levels, shot, {})


def level_table(baked: BakedAvatar, clip: TrackedClip, shown: np.ndarray) -> str:
    """Held-out PSNR and SSIM of every level of detail, and of its Gaussians as in the whole."""
    lines = ["| Gaussians | held out dB | SSIM | adding nothing, dB |", "|--:|--:|--:|--:|"]
    for count in baked.levels:
        scores = evaluate(baked, clip, shown, count=count)
        bare = evaluate(replace(baked, level_offsets=()), clip, shown, count=count)
        row = f"| {count} | {scores['psnr']:.2f} | {scores['ssim']:.3f} | {bare['psnr']:.2f} |"
        lines.append(row)
    return "\n".join(lines) + "\n"


def held_out_psnr(avatar: Avatar, clip: TrackedClip, shown: np.ndarray) -> float:
    """Mean PSNR of frames drawn with the avatar itself, not baked."""
    ratios = []
    for index in shown.tolist():
        with torch.no_grad():
            exact = avatar.pose(clip.params[[index]])
        arrays = GaussianArrays(*(part.cpu().numpy() for part in exact))
        rgb, _ = next(render_arrays(arrays, [clip.camera], None))
        ratios.append(psnr(np.clip(rgb, 0, 1), on_black(clip.frame(index))))
    return float(np.mean(ratios))


def draw(rows: Sequence[dict[str, float]], path: Path) -> None:
    """PSNR of held-out frames by the number of blendshapes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    counts = [row["blendshapes"] for row in rows]
    for name in ("svd", "learned", "svd_posed", "learned_posed"):
        axes.plot(counts, [row[name] for row in rows], marker="o", label=COLUMNS[name])
    axes.axhline(rows[0]["un_baked"], color="black", linestyle=":", label="un-baked, own poses")
    axes.set(xlabel="blendshapes K", ylabel="held-out frames, dB")
    axes.set_title("FlashAvatar baked to blendshapes", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
