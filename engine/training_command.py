"""The commands that make feed-forward networks: `python -m engine train` and `... people`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .api.errors import LikenessError
from .device import DEVICES

SMALLEST = 32  # pixels
METHODS = ("omgavatar", "fastgha", "fastavatar")


def add_training(add: Callable[..., argparse.ArgumentParser], run: Callable[..., Any]) -> None:
    """The parsers of both commands."""
    words = "train a feed-forward method on made-up people or tracked clips"
    parser = add("train", lambda options: _train(options, run), words)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("-o", "--output", metavar="DIR", required=True)
    parser.add_argument("--config", choices=("compact", "paper"), default="compact")
    parser.add_argument("--data", nargs="+", default=["synthetic"], metavar="synthetic|CLIP")
    parser.add_argument("--steps", type=int, default=20_000, metavar="N")
    parser.add_argument("--seconds", type=float, default=0.0, metavar="S")
    parser.add_argument("--people", type=int, default=400, metavar="N")
    parser.add_argument("--size", type=int, default=128, metavar="PIXELS")
    parser.add_argument("--cast", default="", metavar="DIR", help="filmed people, kept and reused")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    parser = add("people", _people, "film made-up people for training, or draw them on a sheet")
    parser.add_argument("output", metavar="DIR|SHEET.png")
    parser.add_argument("--count", type=int, default=40, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--size", type=int, default=128, metavar="PIXELS")


def _train(options: argparse.Namespace, run: Callable[..., Any]) -> None:
    names = (
        "method", "output", "config", "data", "steps", "seconds", "people", "size", "cast", "seed",
        "device", "resume",
    )  # fmt: skip
    result = run(options, "train", {name: getattr(options, name) for name in names})
    if not options.json:
        print(f"{result['path']}: {result['steps']} steps in {result['seconds']:.0f} s.")
        print(f"People never seen: {result['psnr']:.2f} dB. Curves: {result['curves']}")


def _people(options: argparse.Namespace) -> None:
    from .jobs.training import SHOTS
    from .people.cast import Cast
    from .people.sheet import people_sheet

    if options.count < 1 or options.first < 0 or options.size < SMALLEST:
        raise LikenessError("There is nobody to film.", "Give --count 1 and --size 32, or more.")
    seeds = range(options.first, options.first + options.count)
    if options.output.endswith(".png"):
        people_sheet(options.output, seeds, columns=8, size=options.size)
        print(options.output)
        return
    cast = Cast(Path(options.output), SHOTS, options.size)
    for seed in seeds:
        cast.views(seed)
    print(f"{options.output}: {options.count} people, {SHOTS} views each.")
