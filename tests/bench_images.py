"""What a few pictures give: regressed, refined, and fitted from scratch in the same seconds.

    python -m tests.bench_images [--clips FOLDER…] [--people 20] [--methods NAME…] [--frames 1 4 …]

Pictures are spread over the first 85 % of a tracked clip, or of a made-up person's poses; measured
are the frames after them, as tracked, full frame on black. RGBAvatar from scratch learns from the
same pictures, in two presets' sizes, for as long as regression and refinement took together. With
`--cpu-time` all seconds are CPU time of one thread, so that a busy machine changes nothing.
"Landmarks": mean distance in pixels of 512 between those that the tracker finds in the footage and
in the avatar's picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch

from engine.api.baked import BakedAvatar
from engine.api.settings import METHODS
from engine.bake import bake
from engine.clip import TrackedClip
from engine.jobs.training import FIRST_CHECKED
from engine.methods.feedforward.method import MODELS
from engine.methods.feedforward.views import views_of
from engine.methods.regression.choice import first_avatar
from engine.methods.regression.refine import Effort
from engine.methods.regression.steps import finished
from engine.methods.rgbavatar import reconstruct
from engine.metrics import held_out, on_black, psnr, ssim
from engine.progress import unheard
from engine.rasterize import warm_up
from engine.render import render_performance
from engine.tracking.detectors import landmarker
from tests.made_up_clips import filmed_clip

POSES, PEOPLE_SIZE = 40, 256
"""Of a made-up person."""
MEASURED = 12
"""Held-out frames of a clip."""
Find = Callable[[np.ndarray], np.ndarray | None]


class Score(NamedTuple):
    """Of one avatar, means over frames."""

    psnr: float  # dB
    ssim: float
    landmarks: float  # pixels of 512, NaN where no face is found in any picture
    gaussians: int
    seconds: float  # to make it

    @staticmethod
    def mean(scores: Sequence[Score]) -> Score:
        """Over people; landmarks over those whose face was found."""
        columns = np.array(scores, float)
        means = [np.nanmean(column) for column in columns.T]
        return Score(*means[:3], round(means[3]), means[4])


def measured(
    baked: BakedAvatar, clip: TrackedClip, frames: np.ndarray, seconds: float, find: Find
) -> Score:
    """How well an avatar shows frames that it was not made from."""
    renders = render_performance(baked, clip.params[frames], clip.camera)
    rows = []
    for index, (rgb, _) in zip(frames, renders, strict=True):
        image, truth = np.clip(rgb, 0, 1), on_black(clip.frame(int(index)))
        rows.append((psnr(image, truth), ssim(image, truth), _apart(find, image, truth)))
    ratio, alike, apart = np.array(rows, float).T
    far = float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")
    return Score(float(ratio.mean()), float(alike.mean()), far, baked.count, seconds)


def _apart(find: Find, image: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of landmarks in pixels of 512, NaN where either shows no face."""
    found = [
        find(np.ascontiguousarray((one * 255 + 0.5).astype(np.uint8))) for one in (truth, image)
    ]
    if found[0] is None or found[1] is None:
        return float("nan")
    pixels = np.linalg.norm(found[0][:, :2] - found[1][:, :2], axis=-1)
    return float(pixels.mean()) * 512 / len(truth)


def regressed(
    method: str, clip: TrackedClip, frames: np.ndarray, effort: Effort
) -> tuple[BakedAvatar, float]:
    """The avatar that `engine regress` makes of tracked frames, and the seconds that it took."""
    started = time.monotonic()
    views, params = views_of(clip, frames, clip.camera.width), clip.params[frames]
    baked, _ = first_avatar(method, method, clip, views, unheard)
    result = finished(baked, views, params, effort, unheard, lambda _: None)
    return result.baked, time.monotonic() - started


def from_scratch(clip: TrackedClip, frames: np.ndarray, preset: str, seconds: float) -> BakedAvatar:
    """RGBAvatar fitted to the frames alone for so many seconds."""
    settings = METHODS["rgbavatar"].presets[preset]
    settings = replace(settings, size=min(settings.size, clip.camera.width), images=10**6)
    twice = np.repeat(frames, 2) if len(frames) == 1 else frames  # a fit wants two
    *_, last = reconstruct(clip, settings, "cpu", 0, twice, max_seconds=seconds)
    return bake(last.avatar, replace(clip, params=last.params), {}, draft=True)


def rows(
    clip: TrackedClip, options: argparse.Namespace, find: Find
) -> Iterator[tuple[str, int, Score]]:
    """(what, number of pictures, score) for one person."""
    tests = held_out(len(clip))
    shown = tests[np.unique(np.linspace(0, len(tests) - 1, MEASURED).round().astype(int))]
    for count in options.frames:
        given = ((np.arange(count) + 0.5) * tests[0] / count).astype(int)
        spent = 0.0
        for method in options.methods:
            for effort in (Effort(0), Effort(options.refine, options.pictures)):
                baked, seconds = regressed(method, clip, given, effort)
                name = f"{method}, refined" if effort.seconds else method
                yield name, count, measured(baked, clip, shown, seconds, find)
                spent = max(spent, seconds)
        for preset in ("draft", "standard"):
            baked = from_scratch(clip, given, preset, spent)
            name = f"RGBAvatar from scratch ({preset})"
            yield name, count, measured(baked, clip, shown, spent, find)


@contextmanager
def people(options: argparse.Namespace) -> Iterator[Iterator[tuple[str, TrackedClip]]]:
    """Groups and clips, one after the other: the folders given, then made-up people."""
    with TemporaryDirectory() as folder:

        def each() -> Iterator[tuple[str, TrackedClip]]:
            for clip in options.clips:
                yield clip.name, TrackedClip.load(clip)
            for seed in range(FIRST_CHECKED, FIRST_CHECKED + options.people):
                made = filmed_clip(seed, POSES, PEOPLE_SIZE, Path(folder) / str(seed))
                yield f"{options.people} made-up people", made

        yield each()


def main() -> None:
    """Print a row for each group, number of pictures and way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--methods", nargs="*", default=list(MODELS))
    parser.add_argument("--frames", nargs="*", type=int, default=[1, 4, 8, 16])
    parser.add_argument("--refine", type=float, default=Effort().seconds)
    parser.add_argument("--pictures", type=int, default=Effort().pictures, help="of a refinement")
    parser.add_argument("--cpu-time", action="store_true")
    options = parser.parse_args()
    warm_up()
    if options.cpu_time:
        torch.set_num_threads(1)
        time.monotonic = time.process_time
    found: dict[tuple[str, int, str], list[Score]] = {}
    with people(options) as clips, landmarker(single_images=True) as find:
        for group, clip in clips:
            for name, count, score in rows(clip, options, find):
                found.setdefault((group, count, name), []).append(score)
                print(f"{group}, {count}, {name}: {score}", flush=True)
    print("| of | pictures | way | PSNR dB | SSIM | landmarks px | Gaussians | s |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for (group, count, name), scores in found.items():
        one = Score.mean(scores)
        shown = f"{one.psnr:.2f} | {one.ssim:.3f} | {one.landmarks:.1f} | {one.gaussians}"
        print(f"| {group} | {count} | {name} | {shown} | {one.seconds:.0f} |")


if __name__ == "__main__":
    main()
