"""How good the shipped networks are: PSNR and SSIM on made-up people and clips never trained on.

    python -m tests.bench_regressed [METHOD …] [--weights FILE] [--people 20] [--clips DIR…]

For each number of sources the mean over all views asked for, full frame on black, before any
refinement; `untrained` is the same network with its first weights.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

from engine.api.errors import ModelError
from engine.clip import TrackedClip
from engine.jobs.training import FIRST_CHECKED, SHOTS
from engine.losses import ssim
from engine.methods.feedforward.lessons import Lessons, halves, of_clip
from engine.methods.feedforward.method import MODELS, FeedForward, render
from engine.methods.feedforward.training import psnr_of
from engine.methods.feedforward.weights import trained
from engine.people.cast import Cast

SOURCES = (1, 4)


def figures(model: FeedForward, checks: Lessons, sources: int) -> tuple[float, float, float]:
    """Mean PSNR (dB), mean SSIM, and seconds to regress one avatar."""
    psnr: list[float] = []
    alike: list[float] = []
    seconds = 0.0
    for number in range(len(checks)):
        given, asked = checks.check(number, sources)
        started = time.process_time()
        avatar = model(given)
        seconds += time.process_time() - started
        image, _, _ = render(avatar, asked)
        alike.append(float(ssim(image.clamp(0, 1), asked.pictures[..., :3]).mean().detach()))
        psnr += psnr_of(model, given, asked)
    return sum(psnr) / len(psnr), sum(alike) / len(alike), seconds / len(checks)


def of_person(cast: Cast, seed: int) -> Callable:
    """The halves of a made-up person's views."""
    return lambda: halves(cast.views(seed))


@torch.no_grad()
def networks(method: str, weights: Path | None) -> dict[str, FeedForward]:
    """The network with its first weights and, where there are any, with those that it learned."""
    torch.manual_seed(0)
    found = {"untrained": MODELS[method]("compact").eval()}
    try:
        found["trained"] = trained(method, path=weights)
    except ModelError as error:
        if weights:
            raise
        print(f"{error}\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(MODELS))
    parser.add_argument("--weights", type=Path, help="of one method, in place of the shipped ones")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--cast", type=Path, default=Path("out/cast"))
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    cast = Cast(options.cast, SHOTS, options.size)
    seeds = range(FIRST_CHECKED, FIRST_CHECKED + options.people)
    groups = {"people": Lessons([of_person(cast, seed) for seed in seeds])} if seeds else {}
    for clip in options.clips:
        loaded = TrackedClip.load(clip)
        groups[clip.name] = Lessons([of_clip(loaded, options.size, check=True)])
    print("| method | network | on | sources | PSNR dB | SSIM | CPU s |")
    print("|---|---|---|--:|--:|--:|--:|")
    for method in options.methods or MODELS:
        for name, model in networks(method, options.weights).items():
            for group, checks in groups.items():
                for count in SOURCES:
                    psnr, alike, seconds = figures(model, checks, count)
                    row = f"{count} | {psnr:.2f} | {alike:.3f} | {seconds:.2f}"
                    print(f"| {method} | {name} | {group} | {row} |", flush=True)


if __name__ == "__main__":
    main()
