"""The reconstruction job: footage or a tracked clip to a .likeness file, and its held-out metrics.

It knows the order of the stages and where files lie; what a stage does is elsewhere.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.avatar_file import write_avatar
from ..api.avatar_rules import MAX_NAME
from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.requests import ReconstructRequest, changed
from ..api.settings import METHODS, TrackSettings
from ..device import check_device
from ..progress import ProgressEvents, Report, span
from ..provenance import provenance
from .previews import Previews
from .tracking import check_size, clip_warnings, track_clip

if TYPE_CHECKING:
    from ..api.baked import BakedAvatar
    from ..avatar import Avatar
    from ..clip import TrackedClip

SUFFIX = ".likeness"
TRACKED = 0.35
"""Share of the progress bar that tracking takes, when there is tracking to do."""
FITTED, BAKED, MEASURED = 0.9, 0.93, 0.98
"""How far the other stages reach on the rest of it."""


def reconstruct(request: ReconstructRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Track if needed, fit, bake, measure, write. Raises LikenessError, also Cancelled."""
    settings = _check(request)
    bar, clock = ProgressEvents(emit), _Clock()
    with tracked_clip(request, span(bar, 0, TRACKED)) as clip:
        clock.lap("track")
        report = span(bar, bar.fraction, 1)
        from ..metrics import held_out

        tests = held_out(len(clip), request.test_frames)
        settings = replace(settings, size=min(settings.size, clip.camera.width))
        info = _info(request, settings, clip)
        previews = Previews(request.preview, clip, info, emit)
        avatar = _fit(request, settings, clip, tests, span(report, 0, FITTED), previews)
        clock.lap("fit")
        report("Baking", FITTED)
        from ..bake import bake

        baked = bake(avatar, clip, info, tests)
        clock.lap("bake")
        report("Measuring on held-out frames", BAKED)
        baked.info["metrics"] = _measure(baked, clip, tests)
        clock.lap("measure")
        report("Writing", MEASURED)
        baked.info["seconds"] = clock.laps
        pictures = _draw(request.pictures, baked, clip, tests)
        write_avatar(request.output, baked)
        warnings = clip_warnings(clip)
    return {
        "path": request.output,
        "gaussians": baked.count,
        "blendshapes": len(baked.deltas),
        "metrics": baked.info["metrics"],
        "bake_error": baked.info["bake_error"],
        "seconds": clock.laps,
        "warnings": warnings,
        "pictures": pictures,
    }


def _check(request: ReconstructRequest) -> Any:
    """The method's settings, once everything that can be wrong in the request is known not to be.

    Before the first slow step, so that nobody waits ten minutes for a mistyped option.
    """
    if request.method not in METHODS:
        raise LikenessError(f"There is no method '{request.method}'.", _known(METHODS))
    presets = METHODS[request.method].presets
    if request.preset not in presets:
        raise LikenessError(f"There is no preset '{request.preset}'.", _known(presets))
    settings = changed(presets[request.preset], request.settings)
    if request.size:
        settings = changed(settings, {"size": request.size})
    check_size(settings.size)
    check_device(request.device)
    for path in filter(None, (request.output, request.preview)):
        if Path(path).suffix != SUFFIX:
            raise LikenessError(f"{path} is no avatar's file name.", f"End it in {SUFFIX}.")
        if not Path(path).absolute().parent.is_dir():
            raise LikenessError(f"There is no folder for {path}.", "Make it first.")
    return settings


def _known(names: Any) -> str:
    return f"Known: {', '.join(names)}."


@contextmanager
def tracked_clip(request: ReconstructRequest, report: Report) -> Iterator[TrackedClip]:
    """The clip to fit. One that nobody asked to keep is removed at the end."""
    from ..clip import TrackedClip, is_clip

    source = Path(request.source)
    if is_clip(source):
        yield TrackedClip.load(source)
        return
    settings = changed(TrackSettings(), request.track)
    if request.size:
        settings = replace(settings, size=request.size)
    if request.clip:
        kept = Path(request.clip)
        reusable = is_clip(kept) and _is_current(kept, source, settings)
        yield TrackedClip.load(kept) if reusable else track_clip(source, kept, settings, report)
        return
    output = Path(request.output).absolute()
    work = Path(tempfile.mkdtemp(prefix=f".{output.stem}-", dir=output.parent))
    try:
        yield track_clip(source, work / "clip", settings, report)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _is_current(kept: Path, source: Path, settings: TrackSettings) -> bool:
    """Whether a kept clip was made from this footage, unchanged since, with these settings."""
    from ..clip import TrackedClip

    try:
        info = TrackedClip.load(kept).info
    except LikenessError:
        return False  # damaged: tracked again
    newest = max((path.stat().st_mtime for path in (source, *source.glob("*"))), default=0.0)
    return (
        info.get("source", {}).get("name") == source.name
        and info.get("settings") == asdict(settings)
        and newest <= (kept / "clip.json").stat().st_mtime
    )


def _info(request: ReconstructRequest, settings: Any, clip: TrackedClip) -> dict[str, Any]:
    stem = Path(request.output).stem[:MAX_NAME]
    return {
        "name": "".join(letter if letter.isprintable() else "_" for letter in stem),
        "method": request.method,
        "preset": request.preset,
        "settings": asdict(settings),
        "seed": request.seed,
        "tracking": clip.info.get("quality", {}),
        "provenance": provenance(clip.info, request.consent),
    }


def _fit(
    request: ReconstructRequest,
    settings: Any,
    clip: TrackedClip,
    tests: np.ndarray,
    report: Report,
    previews: Previews,
) -> Avatar:
    """Run the method to its end, or until Cancelled comes out of the report."""
    report("Starting the fit", 0.0)
    module = import_module(f"..methods.{METHODS[request.method].module}", __package__)
    steps = module.reconstruct(
        clip,
        settings,
        device=request.device,
        seed=request.seed,
        train_frames=np.setdiff1d(np.arange(len(clip)), tests),
        max_seconds=request.max_seconds or None,
    )
    started = time.monotonic()
    with closing(steps):
        for progress in steps:
            done = progress.step / max(progress.total, 1)
            if request.max_seconds:
                done = max(done, (time.monotonic() - started) / request.max_seconds)
            words = f"Fitting: {progress.stage}"
            report(f"{words}, {progress.psnr:.1f} dB" if progress.psnr else words, done)
            previews.offer(progress.avatar)
    return progress.avatar


def _measure(baked: BakedAvatar, clip: TrackedClip, tests: np.ndarray) -> dict[str, float]:
    """Mean metrics of the held-out frames, without the per-frame rows."""
    from ..metrics import evaluate

    found = evaluate(baked, clip, tests)
    # An identical image has infinite PSNR, which JSON cannot hold.
    return {k: round(min(float(v), 200.0), 4) for k, v in found.items() if k != "per_frame"}


def _draw(folder: str, baked: BakedAvatar, clip: TrackedClip, tests: np.ndarray) -> list[str]:
    """Write the pictures a fit is judged by; their paths."""
    if not folder:
        return []
    from ..pictures import write_comparison, write_orbit, write_sliders

    directory = Path(folder)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.png" for name in ("comparison", "sliders", "orbit")]
    shown = tests if len(tests) else np.arange(len(clip))
    write_comparison(paths[0], baked, clip, shown.tolist())
    write_sliders(paths[1], baked)
    write_orbit(paths[2], baked)
    return [str(path) for path in paths]


class _Clock:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        """End a stage; the next begins."""
        now = time.monotonic()
        self.laps[stage], self._last = round(now - self._last, 1), now
