"""The commands `bake` and `compare` of `python -m engine`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .api.messages import Message
from .api.settings import METHODS, PRESETS
from .device import DEVICES
from .jobs.comparison import table

Add = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]
Run = Callable[[argparse.Namespace, str, dict[str, Any]], Message]


def add_bake(add: Add, run: Run) -> None:
    """`bake`: a smaller file of an avatar."""

    def bake(options: argparse.Namespace) -> None:
        names = ("avatar", "output", "prune", "clip", "images", "device")
        result = run(options, "bake", {name: getattr(options, name) for name in names})
        if options.json:
            return
        print(f"{result['path']}: {result['gaussians']} Gaussians, levels {result['levels']}.")
        if found := result["metrics"]:
            words = "Held-out frames: PSNR {psnr:.2f} dB, before {psnr_before:.2f}."
            print(words.format(**found))

    parser = add("bake", bake, "make an avatar smaller: leave out what shows least")
    parser.add_argument("avatar", metavar="NAME.likeness")
    parser.add_argument("-o", "--output", metavar="NAME.likeness", required=True)
    parser.add_argument("--prune", type=float, default=0.0, metavar="SHARE", help="0.5 is half")
    parser.add_argument("--clip", default="", metavar="DIR", help="fit the rest to its footage")
    parser.add_argument("--images", type=int, default=600, help="of that fit (600)")
    parser.add_argument("--device", choices=DEVICES, default="auto")


def add_compare(add: Add, run: Run) -> None:
    """`compare`: several methods on one clip."""

    def compare(options: argparse.Namespace) -> None:
        names = ("output", "methods", "preset", "size", "test_frames", "device", "seed")
        values = {name: getattr(options, name) for name in (*names, "max_seconds")}
        result = run(options, "compare", {"source": options.clip, **values})
        if not options.json:
            print(table(result["rows"]), end="")
            for path in result["files"]:
                print(path)

    parser = add("compare", compare, "fit several methods to one clip and compare them")
    parser.add_argument("clip", help="footage, or the folder that track has written")
    parser.add_argument("-o", "--output", metavar="DIR", required=True)
    parser.add_argument("--methods", default=",".join(METHODS), metavar="A,B", help="all of them")
    parser.add_argument("--preset", choices=PRESETS, default="standard")
    parser.add_argument("--size", type=int, default=0, metavar="PIXELS", help="training images")
    parser.add_argument("--test-frames", default="15%", metavar="N|P%", help="only measured (15%%)")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-seconds", type=float, default=0.0, metavar="S", help="for each fit")
