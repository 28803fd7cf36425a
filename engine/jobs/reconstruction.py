"""The reconstruction job: footage or a tracked clip to a .likeness file, and its held-out metrics.

It knows the order of the stages and where files lie; what a stage does is elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..api.avatar_file import write_avatar
from ..api.avatar_rules import MAX_NAME
from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.requests import ReconstructRequest, changed
from ..api.settings import METHODS, PosingSettings
from ..device import check_device
from ..progress import ProgressEvents, Report, Tick, one_stage, parts, span
from ..provenance import provenance
from .previews import Previews
from .source_clip import clip_digest, source_clip
from .tracking import check_size, clip_warnings, footage_report
from .work_folder import CHECKPOINT, work_folder, working_in

if TYPE_CHECKING:
    from ..api.baked import BakedAvatar
    from ..avatar import Avatar
    from ..clip import TrackedClip
    from ..methods.checkpoints import Checkpoints
    from ..methods.progress import Progress

SUFFIX = ".likeness"
TRACKED = 0.35
"""Share of the progress bar that tracking takes, when there is tracking to do."""
FITTED, SETTLED, RETRACKED, BAKED, MEASURED = 0.78, 0.82, 0.9, 0.93, 0.98
"""How far the other stages reach on the rest of it."""
RETRACKING = "Posing held-out frames"
LAST_PREVIEW = 0.95
"""No preview later in a fit: the avatar itself is near, and a time limit has to be kept."""


def reconstruct(request: ReconstructRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Track if needed, fit, bake, measure, write. Raises LikenessError, also Cancelled.

    Interrupted, it leaves a hidden folder beside the output; asked the same again, it goes on.
    """
    settings = check_request(request)
    with working_in(work_folder(request.output), request.restart) as work:
        return _reconstruct(request, settings, work, emit)


def _reconstruct(
    request: ReconstructRequest, settings: Any, work: Path, emit: Callable[[Message], None]
) -> dict[str, Any]:
    def tell(message: str) -> None:
        emit({"event": "notice", "message": message})

    bar, clock = ProgressEvents(emit), Clock()
    clip = source_clip(request, work, span(bar, 0, TRACKED), tell)
    clock.lap("track")
    emit(footage_report(clip))
    report = span(bar, bar.fraction, 1)
    report("Starting the fit", 0.0)
    load_engine(request.device)
    from ..bake import performance_of
    from ..methods.checkpoints import Checkpoints
    from ..methods.settling import settled, shares
    from ..metrics import held_out_of_each

    tests = held_out_of_each(clip.takes, request.test_frames)
    settings = replace(settings, size=min(settings.size, clip.camera.width))
    info = info_of(request, settings, clip.info)
    previews = Previews(request.preview, clip, info, emit)
    checkpoints = Checkpoints(work / CHECKPOINT, _identity(request, settings, clip, tests), tell)
    clock.lap("load")
    fitting = span(report, 0, FITTED)
    learn, rest = shares(request)
    limited = replace(request, max_seconds=learn)
    steps = _steps(limited, settings, clip, tests, checkpoints, fitting)
    fitted = _fit(steps, fitting, bar, previews)
    avatar, tracked = fitted.avatar, replace(clip, params=fitted.params or clip.params)
    clock.lap("fit")
    previews.offer(avatar)
    settling = one_stage(report, "Fitting blendshapes", FITTED, SETTLED)
    summed = settled(avatar, tracked, performance_of(tracked, tests), fitted.step, settling, rest)
    clock.lap("settle")
    return conclude(request, summed, tracked, info, tests, clock, report, settings.posing, avatar)


def conclude(
    request: ReconstructRequest,
    avatar: Avatar,
    tracked: TrackedClip,
    info: dict[str, Any],
    tests: np.ndarray,
    clock: Clock,
    report: Report,
    posing: PosingSettings | None = None,
    un_baked: Avatar | None = None,
) -> dict[str, Any]:
    """Pose the held-out frames `tests` by the avatar, which learns nothing of them; bake, measure,
    draw and write; the job's result. The bake's error is against `un_baked`, the avatar itself by
    default."""
    from ..bake import bake
    from ..methods.photometric import track_by_avatar

    retracking = one_stage(report, RETRACKING, SETTLED, RETRACKED)
    retracking(0.0)
    params = track_by_avatar(avatar, tracked, tests, posing, retracking)
    clip = replace(tracked, params=params)
    clock.lap("retrack")
    baking = one_stage(report, "Baking", RETRACKED, BAKED)
    baking(0.0)
    baked = bake(avatar, clip, info, tests, tick=baking, un_baked=un_baked)
    clock.lap("bake")
    measuring = one_stage(report, "Measuring on held-out frames", BAKED, MEASURED)
    baked.info["metrics"] = _measure(baked, clip, tracked, tests, measuring)
    clock.lap("measure")
    baked.info["seconds"] = clock.laps
    pictures = _draw(request.pictures, baked, clip, tests, span(report, MEASURED, 1))
    report("Writing", 1.0)
    write_avatar(request.output, baked)
    return {
        "path": request.output,
        "gaussians": baked.count,
        "blendshapes": len(baked.deltas),
        "metrics": baked.info["metrics"],
        "bake_error": baked.info["bake_error"],
        "seconds": clock.laps,
        "warnings": clip_warnings(clip),
        "pictures": pictures,
    }


def check_request(request: ReconstructRequest) -> Any:
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


def info_of(
    request: ReconstructRequest, settings: Any, clip_info: dict[str, Any]
) -> dict[str, Any]:
    """What the avatar's file says of how it was made."""
    stem = Path(request.output).stem[:MAX_NAME]
    return {
        "name": "".join(letter if letter.isprintable() else "_" for letter in stem),
        "method": request.method,
        "preset": request.preset,
        "settings": asdict(settings),
        "seed": request.seed,
        "tracking": clip_info.get("quality", {}),
        "provenance": provenance(clip_info, request.consent),
    }


def load_engine(device: str) -> None:
    """What takes seconds and has nothing to do with the footage: libraries, compiled kernels."""
    from ..device import torch_device
    from ..rasterize import warm_up

    if torch_device(device).type == "cpu":
        warm_up()


def _identity(
    request: ReconstructRequest, settings: Any, clip: TrackedClip, tests: np.ndarray
) -> dict[str, Any]:
    """All that makes a fit what it is, in words: only one with the same is gone on with. A device
    is not part of it."""
    return {
        "version of Likeness": __version__,
        "footage": clip_digest(clip),
        "method": request.method,
        "settings": asdict(settings),
        "held-out frames": tests.tolist(),
        "seed": request.seed,
        "time limit": request.max_seconds,
    }


def _steps(
    request: ReconstructRequest,
    settings: Any,
    clip: TrackedClip,
    tests: np.ndarray,
    checkpoints: Checkpoints,
    report: Report,
) -> Generator[Progress, None, None]:
    """The method at work; nothing is done before the first step is asked for."""
    module = import_module(f"..methods.{METHODS[request.method].module}", __package__)
    return module.reconstruct(
        clip,
        settings,
        device=request.device,
        seed=request.seed,
        train_frames=np.setdiff1d(np.arange(len(clip)), tests),
        max_seconds=request.max_seconds or None,
        checkpoints=checkpoints,
        report=lambda stage, done: report(f"Fitting: {stage}", done),
    )


def _fit(
    steps: Generator[Progress, None, None], report: Report, bar: ProgressEvents, previews: Previews
) -> Progress:
    """Run the method to its end, or until Cancelled comes out of the report; its last report."""
    from ..methods.progress import LEARNED, STARTED

    learning = span(report, STARTED, LEARNED)
    with closing(steps):
        for number, progress in enumerate(steps):
            done = progress.step / max(progress.total, 1)
            words = f"Fitting: {progress.stage}"
            learning(f"{words}, {progress.psnr:.1f} dB" if progress.psnr else words, done)
            if number == 0 and progress.step:  # an earlier run came so far
                bar.skip_to(bar.fraction)
            if done < LAST_PREVIEW:
                previews.offer(progress.avatar)
    return progress


def _measure(
    baked: BakedAvatar, clip: TrackedClip, tracked: TrackedClip, tests: np.ndarray, tick: Tick
) -> dict[str, float]:
    """Mean metrics of the held-out frames, without the per-frame rows: posed by the avatar, and
    `_as_tracked`, posed by landmarks and flow alone."""
    from ..metrics import evaluate

    tick(0.0)
    first, second = parts(tick, 2)
    found = evaluate(baked, clip, tests, first)
    before = evaluate(baked, tracked, tests, second)
    found |= {f"{name}_as_tracked": before[name] for name in ("psnr", "ssim") if name in before}
    # An identical image has infinite PSNR, which JSON cannot hold.
    return {k: round(min(float(v), 200.0), 4) for k, v in found.items() if k != "per_frame"}


def _draw(
    folder: str, baked: BakedAvatar, clip: TrackedClip, tests: np.ndarray, report: Report
) -> list[str]:
    """Write the pictures a fit is judged by; their paths."""
    if not folder:
        return []
    from ..pictures import write_comparison, write_orbit, write_sliders

    directory = Path(folder)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.png" for name in ("comparison", "sliders", "orbit")]
    shown = tests if len(tests) else np.arange(len(clip))
    report("Drawing the comparison", 0.0)
    write_comparison(paths[0], baked, clip, shown.tolist())
    report("Drawing the sliders", 0.3)
    write_sliders(paths[1], baked)
    report("Drawing other views", 0.7)
    write_orbit(paths[2], baked)
    return [str(path) for path in paths]


class Clock:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        """End a stage; the next begins."""
        now = time.monotonic()
        self.laps[stage], self._last = round(now - self._last, 1), now
