"""The commands of `python -m engine` on finished avatars, and `compare`, which makes several."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .api.avatar_file import read_info
from .api.messages import Message
from .api.settings import METHODS, PRESETS
from .api.splat_files import AXES
from .console import print_event
from .device import DEVICES
from .jobs.comparison import table

Add = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]
Run = Callable[[argparse.Namespace, str, dict[str, Any]], Message]


def add_avatar_commands(add: Add, run: Run) -> None:
    """render, export, bake, compare, info."""
    _add_render(add, run)
    _add_export(add, run)
    _add_bake(add, run)
    _add_compare(add, run)
    parser = add("info", _info, "tell what an avatar file holds")
    parser.add_argument("avatar", metavar="NAME.likeness")


def _add_render(add: Add, run: Run) -> None:
    def render(options: argparse.Namespace) -> None:
        names = ("avatar", "output", "performance", "frames", "camera", "background")
        values = {name: getattr(options, name) for name in (*names, "size", "level")}
        result = run(options, "render", values)
        if not options.json:
            print(f"{result['path']}: {result['frames']} frames in {result['seconds']:.0f} s.")

    parser = add("render", render, "draw an avatar: numbered RGBA PNGs, or a video")
    parser.add_argument("avatar", metavar="NAME.likeness")
    parser.add_argument("-o", "--output", metavar="DIR|MP4", required=True)
    parser.add_argument("--performance", action="store_true", help="play the footage's")
    parser.add_argument("--frames", default="", metavar="A:B", help="B is left out")
    parser.add_argument("--camera", choices=("source", "orbit"), default="source")
    parser.add_argument("--background", default="", help="transparent, black, #rrggbb, ...")
    parser.add_argument("--size", type=int, default=0, metavar="PIXELS", help="width")
    parser.add_argument("--level", type=int, default=0, help="level of detail, 0 the finest")


def _add_export(add: Add, run: Run) -> None:
    def export(options: argparse.Namespace) -> None:
        names = ("avatar", "output", "frames", "expression", "axes", "rest", "level")
        result = run(options, "export", {name: getattr(options, name) for name in names})
        if not options.json:
            print(f"{result['path']}: {result['gaussians']} Gaussians, {result['files']} files.")

    parser = add("export", export, "write an avatar's Gaussians for other programs")
    parser.add_argument("avatar", metavar="NAME.likeness")
    parser.add_argument("-o", "--output", metavar="PLY|GLB", required=True)
    parser.add_argument("--frames", default="", metavar="A:B", help="a file for each frame")
    parser.add_argument("--expression", default="", metavar="NAME=X,...", help="smile=0.5,jawOpen")
    parser.add_argument("--axes", choices=AXES, default="y-down", help="of a PLY (y-down)")
    parser.add_argument("--rest", action="store_true", help="a PLY with f_rest, all 0")
    parser.add_argument("--level", type=int, default=0, help="level of detail, 0 the finest")


def _add_bake(add: Add, run: Run) -> None:
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


def _add_compare(add: Add, run: Run) -> None:
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
        "Held out": metrics_words({"frames": 0, **info.get("metrics", {})}),
        "Footage": source,
        "Made with": f"{origin.get('tool', 'unknown')} {origin.get('tool_version', '')}",
        "Consent": origin.get("consent", "not stated"),
    }
    for label, value in lines.items():
        print(f"{label + ':':<13} {value}")


def metrics_words(metrics: dict[str, float]) -> str:
    """Metrics of held-out frames as one line."""
    words = {
        "psnr": "PSNR {:.2f} dB",
        "psnr_as_tracked": "({:.2f} posed by landmarks alone)",
        "ssim": "SSIM {:.4f}",
        "lpips": "LPIPS {:.4f}",
    }
    parts = [form.format(metrics[name]) for name, form in words.items() if name in metrics]
    return ", ".join([*parts, f"{metrics['frames']:.0f} frames"])
