"""What each part of the fit is worth, and what a preset gives after how many seconds.

    python -m tests.bench_fit [ablations] [curves] [sheets] [--clips FOLDER ...] [--quick]
        [--images 2000] [--variants NAME ...] [--presets NAME ...] [--avatars FILE ...]
        [--pictures out/bench]

ablations  one thing changed at a time, equal images, `draft`'s sizes
curves     held-out PSNR against seconds of the fit, for each preset
sheets     footage | avatar | difference of held-out frames, from the avatars given (each named
           after its clip's folder) or fitted

Clips are folders of tracked clips; without any, the built-in sample is tracked. Rows are printed as
they come. Seconds are CPU seconds of the process, which other work on the machine lengthens less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from engine.api.avatar_file import read_avatar
from engine.api.baked import BakedAvatar
from engine.api.settings import METHODS, RGBAvatarSettings, TrackSettings
from engine.bake import bake
from engine.clip import TrackedClip
from engine.methods.photometric import track_by_avatar
from engine.methods.progress import Progress
from engine.methods.rgbavatar import reconstruct
from engine.metrics import evaluate, held_out_of_each
from engine.sample import make_sample
from engine.tracking import track
from tests.fit_plots import Curve, difference_sheet, plot_curves
from tests.fit_variants import AS_BUILT, NO_START, VARIANTS, Variant

PRESETS = METHODS["rgbavatar"].presets
PICTURES = Path(__file__).parents[1] / "out" / "bench"
PARTS = ("ablations", "curves", "sheets")
QUICK_IMAGES = 120
ABLATION_HEAD = (
    "| clip | variant | posed by avatar dB | SSIM | as tracked dB | SSIM | Gaussians | CPU s |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|"
)
CURVE_HEAD = "| clip | preset | CPU s | images | as tracked dB | SSIM |\n|---|---|--:|--:|--:|--:|"
START_STEPS = 500
"""The paper's Fig. 4 shows so many."""
FIRST_LOOK, LOOKS_GROW = 3.0, 1.5
"""Seconds of the fit at which a curve is first measured, and the ratio of one time to the next."""


class Options(NamedTuple):
    """What the command line asks for."""

    images: int  # of an ablation; the most of a curve's fit, 0 for the preset's own
    variants: list[Variant]
    presets: list[str]
    avatars: list[Path]
    pictures: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"only these of: {', '.join(PARTS)}")
    parser.add_argument("--clips", nargs="*", type=Path, default=[], help="tracked clips")
    parser.add_argument("--images", type=int, default=2000, help="of each ablation")
    parser.add_argument("--variants", nargs="*", default=[], help="beginnings of their names")
    parser.add_argument("--presets", nargs="*", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--avatars", nargs="*", type=Path, default=[], help="for the sheets")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder for plots, sheets")
    parser.add_argument("--quick", action="store_true", help="a few images: does it all run?")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    options = Options(
        images=QUICK_IMAGES if given.quick else given.images,
        variants=_chosen(given.variants, given.quick),
        presets=["draft"] if given.quick else given.presets,
        avatars=given.avatars,
        pictures=given.pictures,
    )
    options.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        clips = list(_clips(given.clips, Path(scratch)))
        parts = given.parts or PARTS
        if "ablations" in parts:
            ablations(clips, options)
        if "curves" in parts:
            curves(clips, options, QUICK_IMAGES if given.quick else 0)
        if "sheets" in parts:
            sheets(clips, options)


def _chosen(beginnings: Sequence[str], quick: bool) -> list[Variant]:
    """The variants whose names begin so, in the table's order; all where none is named."""
    found = [v for v in VARIANTS if not beginnings or v.name.startswith(tuple(beginnings))]
    return found[:2] if quick else found


def _clips(folders: Sequence[Path], scratch: Path) -> Iterator[TrackedClip]:
    """The clips of these folders, or the built-in sample, tracked in `scratch`."""
    for folder in folders:
        yield TrackedClip.load(folder)
    if not folders:
        make_sample(scratch / "sample.mp4")
        yield track(scratch / "sample.mp4", scratch / "sample", TrackSettings(size=256))


def settings_for(preset: str, images: int) -> RGBAvatarSettings:
    """The preset with so many images (0: its own), its phases in proportion."""
    settings: RGBAvatarSettings = PRESETS[preset]
    if not images:
        return settings
    base_only = settings.base_only_images * images // settings.images
    return replace(settings, images=images, base_only_images=base_only)


def ablations(clips: Sequence[TrackedClip], options: Options) -> None:
    """Print the table, and plot how the fit starts with and without colours from the footage."""
    print(f"`draft`'s sizes (256²), {options.images} images, every 4th held-out frame.\n")
    print(ABLATION_HEAD, flush=True)
    for clip in clips:
        starts: dict[str, Curve] = {}
        for variant in options.variants:
            row, starts[variant.name] = ablation(clip, variant, options.images)
            print(f"| {clip.directory.name} | {variant.name} | {row} |", flush=True)
            if variant is NO_START and AS_BUILT.name in starts:
                shown = {"colours from the footage": starts[AS_BUILT.name]}
                shown["grey at first"] = starts[NO_START.name]
                path = options.pictures / f"fit_start_{clip.directory.name}.png"
                plot_curves(path, shown, "steps of 4 images", "training PSNR, dB")


def ablation(clip: TrackedClip, variant: Variant, images: int) -> tuple[str, Curve]:
    """Cells of one row, and training PSNR by steps of the fit's start."""
    settings = replace(settings_for("draft", images), **variant.settings)
    tests = held_out_of_each(clip.takes)
    shown = tests[::4]
    start: dict[int, float] = {}
    began = time.process_time()
    # A report after every step: figures are of 25 steps each, and none is to be missed.
    with variant.in_force(), patch("engine.methods.pace.REPORT_SECONDS", 0.0):
        for progress in _fit(clip, settings, tests):
            step = progress.step // settings.batch
            if progress.psnr and step <= START_STEPS and progress.psnr not in start.values():
                start[step] = progress.psnr
    seconds = time.process_time() - began
    avatar = progress.avatar
    posed = replace(clip, params=track_by_avatar(avatar, clip, shown))
    baked = bake(avatar, clip, {}, tests, draft=True)
    after, before = evaluate(baked, posed, shown), evaluate(baked, clip, shown)
    row = (
        f"{after['psnr']:.2f} | {after['ssim']:.3f} | {before['psnr']:.2f} | "
        f"{before['ssim']:.3f} | {baked.count} | {seconds:.0f}"
    )
    return row, Curve(list(start), list(start.values()))


def _fit(clip: TrackedClip, settings: RGBAvatarSettings, tests: np.ndarray) -> Iterator[Progress]:
    settings = replace(settings, size=min(settings.size, clip.camera.width))
    train = np.setdiff1d(np.arange(len(clip)), tests)
    yield from reconstruct(clip, settings, "cpu", train_frames=train)


def curves(clips: Sequence[TrackedClip], options: Options, images: int) -> None:
    """Print and plot held-out PSNR against the seconds of the fit."""
    print("Every 8th held-out frame, posed by the tracker alone, while the fit runs.\n")
    print(CURVE_HEAD, flush=True)
    for clip in clips:
        found = {preset: curve(clip, preset, images) for preset in options.presets}
        path = options.pictures / f"fit_curves_{clip.directory.name}.png"
        plot_curves(path, found, "CPU seconds of the fit", "held-out PSNR as tracked, dB")


def curve(clip: TrackedClip, preset: str, images: int) -> Curve:
    """Fit, measure now and then, print the rows. What measuring takes is not counted."""
    tests = held_out_of_each(clip.takes)
    found, next_look = Curve([], []), FIRST_LOOK
    settings = settings_for(preset, images)
    measuring, began, shown = 0.0, time.process_time(), tests[::8]
    for progress in _fit(clip, settings, tests):
        spent = time.process_time() - began - measuring
        if spent < next_look and progress.stage != "Done":
            continue
        next_look = spent * LOOKS_GROW
        looked = time.process_time()
        baked = bake(progress.avatar, clip, {}, tests, draft=True)
        scores = evaluate(baked, clip, shown)
        measuring += time.process_time() - looked
        found.x.append(spent)
        found.y.append(scores["psnr"])
        print(
            f"| {clip.directory.name} | {preset} | {spent:.0f} | {progress.step} | "
            f"{scores['psnr']:.2f} | {scores['ssim']:.3f} |",
            flush=True,
        )
    posed = replace(clip, params=track_by_avatar(progress.avatar, clip, shown, settings.posing))
    scores = evaluate(baked, posed, shown)
    print(
        f"| {clip.directory.name} | {preset} | | the end, posed by the avatar | "
        f"{scores['psnr']:.2f} | {scores['ssim']:.3f} |",
        flush=True,
    )
    return found


def sheets(clips: Sequence[TrackedClip], options: Options) -> None:
    """Write each clip's sheet, and print what its frames have."""
    given = {path.stem: path for path in options.avatars}
    print("| clip | avatar | held-out frames shown: dB |\n|---|---|---|", flush=True)
    for clip in clips:
        name = clip.directory.name
        baked = read_avatar(given[name]) if name in given else _fitted(clip, options.images)
        found = difference_sheet(options.pictures / f"fit_sheet_{name}.jpg", baked, clip)
        made = baked.info.get("preset", f"draft, {options.images} images")
        figures = ", ".join(f"{frame}: {ratio:.1f}" for frame, ratio in found.items())
        print(f"| {name} | {made} | {figures} |", flush=True)


def _fitted(clip: TrackedClip, images: int) -> BakedAvatar:
    """A `draft` of so many images on the clip's performance, held-out frames posed by it."""
    tests = held_out_of_each(clip.takes)
    *_, last = _fit(clip, settings_for("draft", images), tests)
    posed = replace(clip, params=track_by_avatar(last.avatar, clip, tests))
    return bake(last.avatar, posed, {}, tests, draft=True)


if __name__ == "__main__":
    main()
