"""The frame that every method's fit to a tracked clip shares: read frames, start, learn, finish.

A method brings a `Recipe`; what its start makes and what a step does is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..api.head import HeadModel
from ..clip import TrackedClip
from ..device import torch_device
from ..progress import Report, one_stage, span, unheard
from .checkpoints import Checkpoints, FitState
from .colour_start import finish_seconds, finish_unseen
from .fit import Fit
from .learning import learn
from .pace import Pace
from .photometric import put_params
from .progress import LEARNED, STARTED, Progress, Tally
from .training_frames import FrameQueue, TrainingFrames


class FitSettings(Protocol):
    """What every method's settings say."""

    @property
    def images(self) -> int:
        """Training images in all."""

    @property
    def batch(self) -> int:
        """Images per step."""

    @property
    def size(self) -> int:
        """Training resolution of the last phase."""


Settings = TypeVar("Settings", bound=FitSettings)
Begun = TypeVar("Begun", bound=Fit[Any, Any])


@dataclass(frozen=True)
class Recipe(Generic[Settings, Begun]):
    """What is a method's own."""

    start: Callable[[HeadModel, TrainingFrames, Settings, torch.Generator, Report], Begun]
    """An avatar on the head, coloured from the frames; nothing is learned yet."""
    optimiser: Callable[[Begun], torch.optim.Adam]
    """Over everything that is learned."""
    step: Callable[[Begun, Tensor, FitState, Tally], str]
    """Learns from the frames [B] at the place in the schedule where the fit stands; returns the
    stage's name."""

    def reconstruct(
        self,
        clip: TrackedClip,
        settings: Settings,
        device: str = "auto",
        seed: int = 0,
        train_frames: np.ndarray | None = None,
        max_seconds: float | None = None,
        checkpoints: Checkpoints | None = None,
        report: Report = unheard,
    ) -> Iterator[Progress]:
        """Fits an avatar to the clip's `train_frames` (all by default), from the checkpoint if
        there is one. `report` hears of the start and the end, where there is no avatar to show.

        A generator: closing it cancels the fit, and every yield carries an avatar that can be
        baked. Given the same seed the CPU gives the same avatar, interrupted or not, unless
        `max_seconds` ends the fit early; the schedule then shortens so that the rates still come
        to rest. Raises FootageError when too few frames can be learned from.
        """
        pace = Pace(settings.images, max_seconds)
        chosen = np.arange(len(clip.params)) if train_frames is None else np.asarray(train_frames)
        generator = torch.Generator().manual_seed(seed)
        folder = checkpoints.folder if checkpoints else None
        read = one_stage(report, "reading frames", 0.0, STARTED / 2)
        frames = TrainingFrames(
            clip, chosen, settings.size, torch_device(device), folder, read, seconds=max_seconds
        )
        fit = self.start(clip.head, frames, settings, generator, span(report, STARTED / 2, STARTED))
        if max_seconds is not None:
            pace.reserve = finish_seconds(fit.avatar, frames, fit.priors)
        modules = {"avatar": fit.avatar, "corrections": fit.corrections}
        queue = FrameQueue(len(frames), generator)
        state = FitState(modules, self.optimiser(fit), generator, queue)
        step = partial(self.step, fit)
        last = yield from learn(fit.avatar, state, settings.batch, step, pace, checkpoints)
        finish_unseen(fit.avatar, frames, fit.priors, one_stage(report, "last colours", LEARNED))
        corrected = fit.corrections.corrected(frames.params)
        params = put_params(clip.params, frames.indices, corrected)
        yield replace(last, stage="Done", params=params)
