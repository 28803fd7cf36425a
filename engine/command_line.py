"""The commands of `python -m engine`: options to requests, results to words.

Exit status: 0 done, 2 a problem the user can act on (one line says which), 130 stopped by Ctrl-C.
Heavy packages load when a job starts, so help and info are instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .api.avatar_file import read_info
from .api.errors import LikenessError
from .api.messages import Message
from .api.settings import METHODS, PRESETS
from .api.splat_files import AXES
from .console import ProgressBar, libraries_silenced, print_event, stoppable
from .device import DEVICES
from .jobs import run_job
from .jobs.work_folder import work_folder

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
    _add_render(commands)
    _add_export(commands)
    info = _add(commands, "info", _info, "tell what an avatar file holds")
    info.add_argument("avatar", metavar="NAME.likeness")
    heads = _add(commands, "heads", _heads, "draw the built-in head and its expressions")
    heads.add_argument("--sheet", metavar="PNG", required=True, help="picture to write")
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
    parser.add_argument("--preset", choices=PRESETS, default="standard")
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
    parser.add_argument("--consent", default="", metavar="NOTE", help="kept in the avatar")
    _add_tracking(parser)


def _add_render(commands: Any) -> None:
    parser = _add(commands, "render", _render, "draw an avatar: numbered RGBA PNGs, or a video")
    parser.add_argument("avatar", metavar="NAME.likeness")
    parser.add_argument("-o", "--output", metavar="DIR|MP4", required=True)
    parser.add_argument("--performance", action="store_true", help="play the footage's")
    parser.add_argument("--frames", default="", metavar="A:B", help="B is left out")
    parser.add_argument("--camera", choices=("source", "orbit"), default="source")
    parser.add_argument("--background", default="", help="transparent, black, #rrggbb, ...")
    parser.add_argument("--size", type=int, default=0, metavar="PIXELS", help="width")
    parser.add_argument("--level", type=int, default=0, help="level of detail, 0 the finest")


def _add_export(commands: Any) -> None:
    parser = _add(commands, "export", _export, "write an avatar's Gaussians for other programs")
    parser.add_argument("avatar", metavar="NAME.likeness")
    parser.add_argument("-o", "--output", metavar="PLY|GLB", required=True)
    parser.add_argument("--frames", default="", metavar="A:B", help="a file for each frame")
    parser.add_argument("--expression", default="", metavar="NAME=X,...", help="smile=0.5,jawOpen")
    parser.add_argument("--axes", choices=AXES, default="y-down", help="of a PLY (y-down)")
    parser.add_argument("--rest", action="store_true", help="a PLY with f_rest, all 0")
    parser.add_argument("--level", type=int, default=0, help="level of detail, 0 the finest")


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
        error = result["quality"].get("reprojection_px_at_512")
        print(f"{result['path']}: {result['frames']} frames in {result['seconds']:.0f} s.")
        print(f"Landmarks fit to {error} pixels at 512 (median).")
        _warn(result)


def _fit(options: argparse.Namespace) -> None:
    values = {
        **_sources(options),
        "track": _tracking(options),
        "clip": options.keep_clip,
        **{
            name: getattr(options, name)
            for name in (
                "output",
                "method",
                "preset",
                "size",
                "test_frames",
                "device",
                "seed",
                "max_seconds",
                "pictures",
                "consent",
                "restart",
            )
        },
    }
    result = _run(options, "reconstruct", values)
    if not options.json:
        print(f"{result['path']}: {result['gaussians']} Gaussians, ", end="")
        print(f"{result['blendshapes']} blendshapes.")
        print("Held-out frames:", _metrics(result["metrics"]))
        print("Seconds:", ", ".join(f"{name} {s:.0f}" for name, s in result["seconds"].items()))
        for picture in result["pictures"]:
            print(picture)
        _warn(result)


def _metrics(metrics: dict[str, float]) -> str:
    words = {
        "psnr": "PSNR {:.2f} dB",
        "psnr_as_tracked": "({:.2f} posed by landmarks alone)",
        "ssim": "SSIM {:.4f}",
        "lpips": "LPIPS {:.4f}",
    }
    parts = [form.format(metrics[name]) for name, form in words.items() if name in metrics]
    return ", ".join([*parts, f"{metrics['frames']:.0f} frames"])


def _warn(result: Message) -> None:
    for warning in result["warnings"]:
        print(f"Note: {warning}.")


def _render(options: argparse.Namespace) -> None:
    names = ("avatar", "output", "performance", "frames", "camera", "background", "size", "level")
    result = _run(options, "render", {name: getattr(options, name) for name in names})
    if not options.json:
        print(f"{result['path']}: {result['frames']} frames in {result['seconds']:.0f} s.")


def _export(options: argparse.Namespace) -> None:
    names = ("avatar", "output", "frames", "expression", "axes", "rest", "level")
    result = _run(options, "export", {name: getattr(options, name) for name in names})
    if not options.json:
        print(f"{result['path']}: {result['gaussians']} Gaussians, {result['files']} files.")


def _info(options: argparse.Namespace) -> None:
    header = read_info(options.avatar)
    if options.json:
        print_event({"event": "result", **{k: v for k, v in header.items() if k != "arrays"}})
        return
    counts, camera, info = header["counts"], header["camera"], header["info"]
    origin = info.get("provenance", {})
    source = origin.get("source", {}).get("name", "unknown")
    lines = {
        "Name": header["name"],
        "Method": f"{info.get('method', 'unknown')}, {info.get('preset', 'own settings')}",
        "Gaussians": f"{counts['gaussians']}, levels {header['levels']}",
        "Blendshapes": counts["blendshapes"],
        "Head": f"{header['head']['name']} ({header['head']['licence']})",
        "Expressions": counts["expressions"],
        "Performance": f"{counts['frames']} frames, {camera['fps']:.2f} per second, "
        f"{camera['width']} x {camera['height']}",
        "Held out": _metrics({"frames": 0, **info.get("metrics", {})}),
        "Footage": source,
        "Made with": f"{origin.get('tool', 'unknown')} {origin.get('tool_version', '')}",
        "Consent": origin.get("consent", "not stated"),
    }
    for label, value in lines.items():
        print(f"{label + ':':<13} {value}")


def _heads(options: argparse.Namespace) -> None:
    from .heads.builtin import builtin_head
    from .heads.sheet import head_sheet

    head_sheet(builtin_head(), Path(options.sheet))
    print(options.sheet)


def _serve(options: argparse.Namespace) -> None:
    from .worker import serve

    serve()
