"""`python -m engine regress`: one picture of a head, or a few, to an avatar within a minute."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .api.messages import Message
from .api.regression import REFINE_SECONDS, REGRESSORS
from .avatar_commands import Add, metrics_words
from .device import DEVICES

Run = Callable[[argparse.Namespace, str, dict[str, Any]], Message]
Tracking = Callable[[argparse.Namespace], dict[str, Any]]


def add_regress(
    add: Add, run: Run, add_tracking: Callable[[argparse.ArgumentParser], None], tracking: Tracking
) -> None:
    """The command with its options; those of tracking are the same as for `fit`."""

    def regress(options: argparse.Namespace) -> None:
        names = ("output", "method", "frames", "refine", "add_to", "size", "device")
        values = {name: getattr(options, name) for name in (*names, "pictures", "consent")}
        values |= {"source": options.image[0], "more_sources": options.image[1:]}
        values |= {"clip": options.keep_clip, "track": tracking(options)}
        result = run(options, "regress", values)
        if not options.json:
            _tell(result)

    parser = add("regress", regress, "make an avatar from one picture or a few")
    parser.add_argument("image", nargs="+", help="pictures of one person, or a clip of theirs")
    parser.add_argument("-o", "--output", metavar="NAME.likeness", required=True)
    parser.add_argument("--method", choices=REGRESSORS, default=next(iter(REGRESSORS)))
    parser.add_argument(
        "--refine",
        type=float,
        default=REFINE_SECONDS,
        metavar="S",
        help="seconds of fitting to the pictures (20); 0 for none",
    )
    parser.add_argument(
        "--frames", default="", metavar="N|A,B", help="of a clip: so many, or these"
    )
    parser.add_argument(
        "--add-to", default="", metavar="NAME.likeness", help="an avatar that the pictures improve"
    )
    parser.add_argument("--size", type=int, default=0, metavar="PIXELS", help="of the pictures")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--keep-clip", default="", metavar="DIR", help="keep and reuse tracking")
    parser.add_argument("--pictures", default="", metavar="DIR", help="comparison.png and others")
    parser.add_argument("--consent", default="", metavar="NOTE", help="kept in the avatar")
    add_tracking(parser)


def _tell(result: Message) -> None:
    """The result in words."""
    seen = result["pictures_seen"]
    pictures = "1 picture" if seen == 1 else f"{seen} pictures"
    print(f"{result['path']}: {result['gaussians']} Gaussians from {pictures}.")
    print(f"The pictures themselves: PSNR {result['psnr_seen']:.2f} dB.")
    if "psnr" in result["metrics"]:
        print("Other frames:", metrics_words(result["metrics"]))
    print("Seconds:", ", ".join(f"{name} {s:.0f}" for name, s in result["seconds"].items()))
    for picture in result["pictures"]:
        print(picture)
    for warning in result["warnings"]:
        print(f"Note: {warning}.")
