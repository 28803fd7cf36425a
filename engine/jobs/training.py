"""The training job: a feed-forward method's network from made-up people and tracked clips."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.training import SYNTHETIC, TrainRequest
from ..clip import TrackedClip
from ..device import check_device, torch_device
from ..progress import ProgressEvents, Report

if TYPE_CHECKING:
    from ..methods.feedforward import training
    from ..methods.feedforward.lessons import Lessons
    from ..methods.feedforward.views import Views
    from ..people.cast import Cast

    Run = Generator[training.Report, None, training.Report]

SHOTS = 12
"""Views of each made-up person: as many as fit one minute's filming of twenty."""
CHECKED, FIRST_CHECKED = 8, 1_000_000
"""People that are only measured, and the first one's number: no training has so many."""
CHECKPOINT, CURVES = "checkpoint.npz", "curves.csv"


def train(request: TrainRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Train, and write the weights. Raises LikenessError, also Cancelled, after which --resume goes
    on."""
    from ..methods.checkpoints import Checkpoints
    from ..methods.feedforward import training
    from ..methods.feedforward.weights import save_weights
    from ..methods.pace import Pace

    started = time.monotonic()
    _check(request)
    report, output = ProgressEvents(emit), Path(request.output)
    lessons, checks = _lessons(request, report)
    device = torch_device(request.device)
    state = training.new_state(request.method, request.config, len(lessons), request.seed, device)
    said: list[str] = []
    checkpoints = Checkpoints(output / CHECKPOINT, _identity(request), said.append)
    if request.resume:
        checkpoints.resume(state)
        if not state.steps:
            raise LikenessError(f"This cannot be gone on with: {said[-1]}", "Choose a new folder.")
    pace = Pace(request.steps, request.seconds or None)
    curves = output / CURVES
    run = training.train(state, lessons, checks, request.seed, pace, checkpoints, curves)
    final = _followed(run, report)
    weights = output / f"{request.method}.safetensors"
    notes = {"steps": final.step, "seconds": round(pace.spent), "people": request.people,
             "device": device.type, "psnr": round(final.psnr or 0, 2)}  # fmt: skip
    save_weights(final.model, request.method, weights, notes)
    return {
        "path": str(weights),
        "curves": str(curves),
        "steps": final.step,
        "psnr": round(final.psnr or 0.0, 2),
        "seconds": round(time.monotonic() - started, 1),
    }


def _followed(run: Run, report: Report) -> training.Report:
    """A training's last report, the others told. A cancelled one is closed: it keeps a
    checkpoint."""
    try:
        while True:
            now = next(run)
            held_out = f", {now.psnr:.1f} dB on strangers" if now.psnr is not None else ""
            loss = f": loss {now.loss:.3f}" if math.isfinite(now.loss) else ""
            report(f"Training{loss}{held_out}", now.done)
    except StopIteration as end:
        return end.value
    finally:
        run.close()


def _check(request: TrainRequest) -> None:
    """Raises LikenessError for what cannot be trained, before anything takes time."""
    from ..methods.feedforward.method import CONFIGS, MODELS

    for word, known in ((request.method, MODELS), (request.config, CONFIGS)):
        if word not in known:
            raise LikenessError(f"There is no '{word}' to train.", f"Known: {', '.join(known)}.")
    if min(request.steps, request.people, request.size - 31) < 1:
        raise LikenessError("There is nothing to train.", "Give steps, people and 32 pixels.")
    check_device(request.device)
    output = Path(request.output)
    kept = (output / CHECKPOINT).is_file()
    if kept and not request.resume:
        raise LikenessError(
            f"{output} holds a training already.", "Add --resume, or choose another folder."
        )
    if request.resume and not kept:
        raise LikenessError(f"{output} holds no training to go on with.", "Leave out --resume.")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(
            f"{output} cannot be made: {error.strerror}.", "Choose another folder."
        ) from error


def _identity(request: TrainRequest) -> dict[str, Any]:
    """What makes a training the one that it is."""
    return {
        "method": request.method,
        "configuration": request.config,
        "data": request.data,
        "number of people": request.people,
        "picture size": request.size,
        "seed": request.seed,
        "number of steps": request.steps,
    }


def _lessons(request: TrainRequest, report: Report) -> tuple[Lessons, Lessons]:
    """People to learn from, and people to be measured on. Raises TrackingError for a clip that
    cannot be read."""
    from ..methods.feedforward.lessons import Lessons, of_clip
    from ..people.cast import Cast

    learn: list[Any] = []
    check: list[Any] = []
    for source in request.data:
        if source == SYNTHETIC:
            cast = Cast(Path(request.cast or Path(request.output) / "people"), SHOTS, request.size)

            learn += [partial(_person, cast, seed) for seed in range(request.people)]
            check += [partial(_person, cast, FIRST_CHECKED + k) for k in range(CHECKED)]
        else:
            report(f"Reading {Path(source).name}", 0.0)
            clip = TrackedClip.load(source)
            learn.append(of_clip(clip, request.size, check=False))
            check.append(of_clip(clip, request.size, check=True))
    if not learn:
        raise LikenessError("There is no data to train on.", "Give synthetic, or clips.")
    return Lessons(learn), Lessons(check)


def _person(cast: Cast, seed: int) -> tuple[Views, Views]:
    """A made-up person's views to give and to ask for."""
    from ..methods.feedforward.lessons import halves

    return halves(cast.views(seed))
