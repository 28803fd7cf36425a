"""The commands of `python -m engine`: options to requests, results to words.

Exit status: 0 done, 2 a problem the user can act on (one line says which), 130 stopped by Ctrl-C.
Heavy packages load when a job starts, so help and info are instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .api.errors import LikenessError
from .api.messages import Message
from .api.settings import METHODS, PRESETS, SHOULDERS
from .avatar_commands import add_avatar_commands, metrics_words
from .console import ProgressBar, libraries_silenced, print_event, stoppable
from .device import DEVICES
from .jobs import run_job
from .jobs.heads import heads_line
from .jobs.work_folder import work_folder
from .online_options import add_online
from .regress_command import add_regress
from .training_command import add_training

STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    # Idle OpenMP threads would spin on the cores that work (facts/rasteriser.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except LikenessError as error:
        _complain(options, error)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped; {_left(options)}.", file=sys.stderr)
        return STOPPED
    return 0


def _left(options: argparse.Namespace) -> str:
    """What a stopped command has left."""
    if options.run is _fit and work_folder(options.output).exists():
        return "the same command goes on from here, with --restart from the beginning"
    if hasattr(options, "resume"):
        return "the same command goes on from here with --resume"
    return "nothing was left half-written"


def _complain(options: argparse.Namespace, error: LikenessError) -> None:
    if getattr(options, "json", False):
        print_event({"event": "error", "message": error.message, "hint": error.hint})
    else:
        print(f"error: {error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description="The avatar engine.")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_track(commands)
    _add_fit(commands)
    add_regress(partial(_add, commands), _run, _add_tracking, _tracking)
    add_avatar_commands(partial(_add, commands), _run)
    add_training(partial(_add, commands), _run)
    _add_heads(commands)
    _add(commands, "serve", _serve, "answer requests on stdin (for Blender)")
    return parser


def _add(commands: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words.capitalize() + ".")
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print events as JSON lines")
    return parser


def _add_tracking(parser: argparse.ArgumentParser) -> None:
    """Options of tracking, which `track` and `fit` share."""
    parser.add_argument("--masks", metavar="DIR", help="mask images instead of matting")
    parser.add_argument("--fast-matte", action="store_true", help="quicker matte, softer hair")
    parser.add_argument("--focal", type=float, metavar="F", help="focal length / long side")
    parser.add_argument("--max-frames", type=int, metavar="N", help="read no more frames")
    parser.add_argument("--head", metavar="PATH", help="a head model; see the heads command")
    parser.add_argument("--shoulders", choices=SHOULDERS, help="keep or cut them in the matte")
    parser.add_argument("--matting", metavar="ONNX", help="a video matting network (RVM)")
    parser.add_argument("--camera", metavar="NAME", help="of a data set with several cameras")
    parser.add_argument("--retrack", action="store_true", help="track a data set's images anew")


def _add_track(commands: Any) -> None:
    parser = _add(commands, "track", _track, "find the head in footage, follow it and matte it")
    parser.add_argument("clip", nargs="+", help="a video, an image, a folder of images; or several")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of the crop (512)")
    parser.add_argument(
        "--seconds", type=float, default=0.0, metavar="S", help="film so long with camera:0"
    )
    parser.add_argument("--report", action="store_true", help="tell how good the footage is")
    _add_tracking(parser)


def _add_fit(commands: Any) -> None:
    parser = _add(commands, "fit", _fit, "make an avatar from footage")
    parser.add_argument(
        "clip", nargs="+", help="footage of one person, or the folder that track has written"
    )
    parser.add_argument("-o", "--output", metavar="NAME.likeness", required=True)
    parser.add_argument("--method", choices=METHODS, default="rgbavatar")
    parser.add_argument("--preset", choices=PRESETS, help="standard; draft with --online")
    parser.add_argument("--size", type=int, default=0, metavar="PIXELS", help="training images")
    parser.add_argument(
        "--test-frames",
        default="15%",
        metavar="N|P%",
        help="last frames that are only measured, at most 350 (15%%)",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-seconds", type=float, default=0.0, metavar="S")
    parser.add_argument("--keep-clip", default="", metavar="DIR", help="keep and reuse tracking")
    parser.add_argument("--restart", action="store_true", help="forget an interrupted fit")
    parser.add_argument("--pictures", default="", metavar="DIR", help="comparison.png and others")
    add_online(parser)
    parser.add_argument("--consent", default="", metavar="NOTE", help="kept in the avatar")
    _add_tracking(parser)


def _add_heads(commands: Any) -> None:
    parser = _add(commands, "heads", _heads, "list, add, download or draw head models")
    parser.add_argument("action", nargs="?", choices=("list", "add", "download"), default="list")
    parser.add_argument("what", nargs="?", default="", metavar="PATH|ict|gnm")
    parser.add_argument("--yes", action="store_true", help="agree to the download and licence")
    parser.add_argument("--sheet", metavar="PNG", help="draw the head and its expressions")


def _run(options: argparse.Namespace, job: str, values: dict[str, Any]) -> Message:
    """Run a job with its progress shown, and return its result event."""
    with libraries_silenced() as stderr:
        if options.json:
            result = run_job(job, values, stoppable(print_event))
            print_event(result)
            return result
        bar = ProgressBar(stderr)
        try:
            return run_job(job, values, stoppable(bar))
        finally:
            bar.clear()


def _tracking(options: argparse.Namespace) -> dict[str, Any]:
    """What differs from TrackSettings."""
    given = {
        "masks": options.masks,
        "fast_matte": options.fast_matte or None,
        "focal_length": options.focal,
        "max_frames": options.max_frames,
        "head": options.head,
        "shoulders": options.shoulders,
        "matting": options.matting,
        "camera": options.camera,
        "retrack": options.retrack or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _sources(options: argparse.Namespace) -> dict[str, Any]:
    return {"source": options.clip[0], "more_sources": options.clip[1:]}


def _track(options: argparse.Namespace) -> None:
    settings = _tracking(options) | ({} if options.size is None else {"size": options.size})
    values = {
        **_sources(options),
        "output": options.output,
        "settings": settings,
        "seconds": options.seconds,
    }
    result = _run(options, "track", values)
    report = Path(result["path"]) / "report.txt"  # an imported data set has none
    if options.report and not options.json and report.is_file():
        print(report.read_text(encoding="utf-8"))
        print(result["sheet"])
    elif not options.json:
        print(f"{result['path']}: {result['frames']} frames in {result['seconds']:.0f} s.")
        if error := result["quality"].get("reprojection_px_at_512"):
            print(f"Landmarks fit to {error} pixels at 512 (median).")
        _warn(result)


def _fit(options: argparse.Namespace) -> None:
    values = {
        **_sources(options),
        "track": _tracking(options),
        "clip": options.keep_clip,
        "preset": options.preset or ("draft" if options.online else "standard"),
        "polish_seconds": options.polish,
        **{
            name: getattr(options, name)
            for name in (
                "output",
                "method",
                "size",
                "test_frames",
                "device",
                "seed",
                "max_seconds",
                "pictures",
                "consent",
                "restart",
                "online",
                "preview",
            )
        },
    }
    result = _run(options, "reconstruct", values)
    if not options.json:
        print(f"{result['path']}: {result['gaussians']} Gaussians, ", end="")
        print(f"{result['blendshapes']} blendshapes.")
        print("Held-out frames:", metrics_words(result["metrics"]))
        print("Seconds:", ", ".join(f"{name} {s:.0f}" for name, s in result["seconds"].items()))
        for picture in result["pictures"]:
            print(picture)
        _warn(result)


def _warn(result: Message) -> None:
    for warning in result["warnings"]:
        print(f"Note: {warning}.")


def _heads(options: argparse.Namespace) -> None:
    if options.sheet:
        from .heads.builtin import builtin_head
        from .heads.sheet import head_sheet
        from .heads.sources import read_any_head

        head = read_any_head(options.what) if options.what else builtin_head()
        head_sheet(head, Path(options.sheet))
        print(options.sheet)
        return
    values = {"action": options.action, "what": options.what, "consent": options.yes}
    result = _run(options, "heads", values)
    if not options.json:
        for card in result["heads"]:
            print(heads_line(card))
        print(result["words"] or f"Your heads are kept in {result['path']}.")


def _serve(options: argparse.Namespace) -> None:
    from .worker import serve

    serve()
