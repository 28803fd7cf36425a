"""On the fly against offline at equal optimisation steps (paper 000, Table 3). Prints a table.

    python -m tests.bench_online [--steps N] [--clips FOLDER ...] [--variants NAME ...]

Frames of tracked clips, or of the built-in sample, arrive evenly over the first 90 % of the steps,
a virtual clock, so that a run does not depend on the machine; the rest learns on, as `--polish`
does. The last 15 % of the frames are held out, each posed by its own picture through the avatar;
PSNR is also given for the first third of the stream, as tracked, which shows what is forgotten.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.api.settings import METHODS, OnlineSettings, RGBAvatarSettings, TrackSettings
from engine.avatar import Avatar
from engine.bake import bake
from engine.clip import TrackedClip
from engine.methods.online import OnlineFit
from engine.methods.photometric import track_by_avatar
from engine.methods.rgbavatar import reconstruct
from engine.metrics import evaluate, held_out
from engine.sample import make_sample
from engine.stream import Learned, Replay
from engine.tracking import track

SIZE = 256
ARRIVED = 0.9
"""Share of the steps after which the stream has ended; the rest is `--polish`."""
VARIANTS = {
    "both pools, 70 % local (the paper's text; used)": OnlineSettings(),
    "both, global ramped to 70 % (the paper's code)": OnlineSettings(
        global_share=0.7, ramped=True, newness=1.0
    ),
    "both, half and half": OnlineSettings(global_share=0.5),
    "no local pool": OnlineSettings(local_pool=0),
    "no global pool": OnlineSettings(global_pool=0),
}


def clips(folders: list[Path], scratch: Path) -> Iterator[TrackedClip]:
    """The clips of these folders, or the built-in sample, tracked in `scratch`."""
    for folder in folders:
        yield TrackedClip.load(folder)
    if not folders:
        make_sample(scratch / "sample.mp4")
        yield track(scratch / "sample.mp4", scratch / "sample", TrackSettings(size=SIZE))


def settings_of(steps: int) -> RGBAvatarSettings:
    """`draft` with so many steps."""
    draft = METHODS["rgbavatar"].presets["draft"]
    images = steps * draft.batch
    return replace(draft, size=SIZE, images=images, base_only_images=images // 10)


def fit_stream(
    clip: TrackedClip, frames: int, settings: RGBAvatarSettings, online: OnlineSettings
) -> Avatar:
    """The avatar of the first `frames` of the clip, which arrive evenly over the steps."""
    steps, step = settings.images // settings.batch, 0
    stream = Replay(clip, lambda: step / steps / ARRIVED * frames / clip.fps)
    fit: OnlineFit | None = None
    while fit is None or fit.images < settings.images:
        for event in stream.take():
            if isinstance(event, Learned):
                fit = OnlineFit(event, settings, online, "cpu")
            elif fit and event.number < frames:
                fit.keep(event)
        assert fit
        fit.step(step / steps)
        step += 1
    fit.finish()
    assert fit.avatar
    return fit.avatar


def row(clip: TrackedClip, label: str, avatar: Avatar, tests: np.ndarray, seconds: float) -> str:
    """One line of the table."""
    baked = bake(avatar, clip, {}, tests, draft=True)
    shown = tests[::6]
    after = evaluate(baked, replace(clip, params=track_by_avatar(avatar, clip, shown)), shown)
    before = evaluate(baked, clip, np.arange(0, tests[0] // 3, 12))
    return (
        f"| {clip.directory.name} | {label} | {after['psnr']:.2f} | {after['ssim']:.4f} | "
        f"{before['psnr']:.2f} | {seconds:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--clips", nargs="*", type=Path, default=[], help="tracked clips")
    parser.add_argument("--variants", nargs="*", default=[""], help="beginnings of their names")
    options = parser.parse_args()
    settings = settings_of(options.steps)
    print(f"{options.steps} steps of {settings.batch} images of {SIZE} x {SIZE}, one run each.\n")
    print("| clip | | held out dB | SSIM | first third dB | CPU s |\n|---|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips(options.clips, Path(folder)):
            tests = held_out(len(clip))
            began = time.process_time()
            *_, last = reconstruct(clip, settings, "cpu", train_frames=np.arange(tests[0]))
            seconds = time.process_time() - began
            print(row(clip, "offline", last.avatar, tests, seconds), flush=True)
            for label, online in VARIANTS.items():
                if not label.startswith(tuple(options.variants)):
                    continue
                began = time.process_time()
                avatar = fit_stream(clip, int(tests[0]), settings, online)
                seconds = time.process_time() - began
                print(row(clip, label, avatar, tests, seconds), flush=True)


if __name__ == "__main__":
    main()
