"""The loop that every method's fit runs in: steps, reports and checkpoints, until it is done.

It does not know what a step does. Closing it at a report cancels the fit and keeps a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from torch import Tensor

from ..avatar import Avatar
from .checkpoints import Checkpoints, FitState
from .pace import Pace
from .progress import Progress, Tally

FIGURES_EVERY = 25
"""Steps whose loss and PSNR are told as one figure: fewer would jump about."""

Step = Callable[[Tensor, FitState, Tally], str]
"""step(frame numbers [B], state, tally) learns from one batch; returns the stage's name."""


def learn(
    avatar: Avatar,
    state: FitState,
    batch: int,
    step: Step,
    pace: Pace,
    checkpoints: Checkpoints | None = None,
) -> Generator[Progress, None, Progress]:
    """Steps of `batch` frames, from where the checkpoint says or the beginning. The first report
    comes before any step, the one returned after all."""
    if checkpoints:
        checkpoints.resume(state)
        pace.resume(state.seconds)
    tally, figures, stage = Tally(), (0.0, 0.0), "Colours"
    try:
        yield _progress(stage, state, pace, figures, avatar)
        while pace.done(state.images) < 1:
            state.done = pace.done(state.images)
            stage = step(state.queue.take(batch), state, tally)
            state.images += batch
            state.steps += 1
            if state.steps % FIGURES_EVERY == 0:
                figures = tally.take()
            if pace.report_due():
                _keep(checkpoints, state, pace)
                yield _progress(stage, state, pace, figures, avatar)
    except GeneratorExit:
        if state.images:
            _keep(checkpoints, state, pace, now=True)
        raise
    _keep(checkpoints, state, pace, now=True)
    return _progress(stage, state, pace, tally.take() if tally.losses else figures, avatar)


def _keep(checkpoints: Checkpoints | None, state: FitState, pace: Pace, now: bool = False) -> None:
    state.done, state.seconds = pace.done(state.images), pace.spent
    if checkpoints:
        checkpoints.keep(state, now)


def _progress(
    stage: str, state: FitState, pace: Pace, figures: tuple[float, float], avatar: Avatar
) -> Progress:
    """Under a time limit the images to come are estimated from the time."""
    done = pace.done(state.images)
    total = round(state.images / done) if state.images and done else pace.images
    return Progress(stage, state.images, total, *figures, avatar)
