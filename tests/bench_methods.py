"""What baking and levels of detail cost, in dB on held-out frames.

    python -m tests.bench_methods [CLIP] [--seconds 300] [--plot PNG]

CLIP is the folder of a tracked clip; without it, the ray-traced stand-in of the tests.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.api.baked import BakedAvatar, GaussianArrays
from engine.api.settings import METHODS
from engine.avatar import Avatar
from engine.bake import bake
from engine.bake_error import bake_error
from engine.clip import TrackedClip
from engine.levels import importance
from engine.linearisation import decompose
from engine.methods.flashavatar import reconstruct
from engine.metrics import evaluate, held_out, on_black, psnr
from engine.render import render_arrays
from tests.engine.ellipsoid import EllipsoidClip

COUNTS = (4, 8, 16, 24, 40)
MEASURED = 16
"""Held-out frames."""


def main() -> None:
    """Fit FlashAvatar and print both tables."""
    parser = argparse.ArgumentParser(description="Curves of FlashAvatar's bake and levels.")
    parser.add_argument("clip", nargs="?", help="folder of a tracked clip")
    parser.add_argument("--seconds", type=float, default=300.0, help="of the fit")
    parser.add_argument("--plot", help="PNG to draw the first table to")
    options = parser.parse_args()
    clip: Any = TrackedClip.load(options.clip) if options.clip else EllipsoidClip(frames=60)
    tests = held_out(len(clip))
    train = np.setdiff1d(np.arange(len(clip)), tests)
    settings = METHODS["flashavatar"].presets["standard" if options.clip else "draft"]
    *_, last = reconstruct(
        clip, settings, train_frames=train, max_seconds=options.seconds if options.clip else 40
    )
    shown = tests[np.unique(np.linspace(0, len(tests) - 1, MEASURED).round().astype(int))]
    baked = bake(last.avatar, clip, {}, tests)
    rows = bake_curve(last.avatar, baked, clip, train, shown)
    print(bake_table(rows, un_baked_psnr(last.avatar, clip, shown)))
    print(level_table(baked, clip, shown))
    if options.plot:
        draw(rows, Path(options.plot))


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
    """Held-out PSNR and SSIM of every level of detail."""
    lines = ["| Gaussians | held out dB | SSIM |", "|--:|--:|--:|"]
    for count in baked.levels:
        binding = baked.binding
        prefix = replace(
            baked,
            binding=replace(
                binding,
                face=binding.face[:count],
                barycentric=binding.barycentric[:count],
                tangent=binding.tangent[:count],
            ),
            base=baked.base[:count],
            deltas=baked.deltas[:, :count],
            levels=(count,),
        )
        scores = evaluate(prefix, clip, shown)
        lines.append(f"| {count} | {scores['psnr']:.2f} | {scores['ssim']:.3f} |")
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
