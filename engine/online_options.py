"""The options of `python -m engine fit` that let it learn while the footage still comes in."""

from __future__ import annotations

import argparse


def add_online(parser: argparse.ArgumentParser) -> None:
    """Options of a fit that shows what it has learned while it runs."""
    parser.add_argument("--preview", default="", metavar="NAME.likeness", help="the avatar so far")
    parser.add_argument(
        "--online",
        action="store_true",
        help="learn while the footage plays, or from camera:0; Ctrl-C finishes and saves",
    )
    parser.add_argument(
        "--polish", type=float, default=0.0, metavar="S", help="learn on after the stream's end"
    )
