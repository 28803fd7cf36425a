"""RGBAvatar on the fly (paper 000, section 3.3): the fit of a stream, one frame and one step at a
time, so that whoever runs it decides how they alternate.

Beyond the paper: the person's head becomes known better while the stream runs, and every pose is
told again; the range of the code grows with what is seen; what shows late is coloured late.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..api.settings import OnlineSettings, RGBAvatarSettings
from ..avatar import BlendshapeAvatar
from ..device import torch_device
from ..heads.posing import TorchHead
from ..networks import CodeStatistics
from ..stream import Arrived, Learned
from .colour_start import finish_unseen
from .detail import detail_maps
from .fit import hold_limits
from .late_colours import hidden, reveal
from .optimisation import Schedule, make_optimiser, set_rates
from .pool_frames import PoolFrames
from .pools import Pools
from .progress import Tally
from .rgbavatar import BlendshapeFit, start_fit, train_step
from .training_frames import SURE, FrameSlots

FIRST_FRAMES = 8
"""So many frames give the first colours."""
FALL_FROM = 0.8
"""Share of the fit before which every rate is kept: what comes late still has to find its place."""
REFRESH = 25
"""Frames after which late colours are looked for: one second."""
NEWEST = 4
"""Of those, so many of the newest are searched for late colours."""
GUESSED = 0.05
"""How far every first colour counts as guessed: those of a few frames say little, and pull less."""


class OnlineFit:
    """An avatar that learns from the two pools of a stream's frames."""

    def __init__(
        self,
        person: Learned,
        settings: RGBAvatarSettings,
        online: OnlineSettings,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.images = 0  # training images seen
        self.tally = Tally()
        self._person, self._settings = person, settings
        self._generator = torch.Generator().manual_seed(seed)
        pools = Pools(online, seed)
        self._frames = PoolFrames(person, pools, settings.size, torch_device(device))
        self._learner: _Learner | None = None

    @property
    def avatar(self) -> BlendshapeAvatar | None:
        """The avatar so far; None until enough frames have come."""
        return self._learner.fit.avatar if self._learner else None

    def know(self, person: Learned) -> None:
        """The person is known better: every frame so far is posed anew."""
        self._person = person
        self._frames.know(person)
        if self._learner:
            self._learner.know(person)

    def keep(self, arrived: Arrived) -> None:
        """A frame to learn from; one in which the head is lost teaches nothing."""
        if arrived.confidence < SURE:
            return
        slot = self._frames.keep(arrived)
        if self._learner:
            if slot is not None:
                self._learner.renew(slot)
        elif len(self._frames) >= FIRST_FRAMES:
            fit = start_fit(self._person.head, self._frames, self._settings, self._generator)
            self._learner = _Learner(fit)

    def step(self, done: float) -> None:
        """Learn from one batch; `done` 0..1 is where the fit stands. Without an avatar, nothing."""
        if self._learner:
            batch = self._frames.draw(self._settings.batch)
            self._learner.step(batch, min(done, 1.0), self.tally)
            self.images += len(batch)

    def finish(self) -> None:
        """Colours of what the stream never showed. Further steps are legal."""
        if self._learner:
            finish_unseen(self._learner.fit.avatar, self._frames, self._learner.fit.priors)


class _Learner:
    """The running fit: what changes with every frame and step."""

    def __init__(self, fit: BlendshapeFit) -> None:
        slots = len(fit.frames.codes)
        maps = fit.details.new_zeros((slots, *fit.details.shape[1:]))
        maps[: len(fit.details)] = fit.details
        # The first frames' guesses are not held to: the head may yet turn.
        rules = replace(fit.rules, guessed=torch.full_like(fit.rules.guessed, GUESSED))
        self.fit = replace(fit, details=maps, rules=rules)
        self._optimiser = make_optimiser(fit.avatar, fit.corrections, fit.settings.batch)
        self._hidden = hidden(fit.avatar)
        self._fresh: list[int] = []  # slots filled since the last look
        self._steps = 0
        self._statistics = _statistics(fit.frames)

    def know(self, person: Learned) -> None:
        """The frames have been posed anew, on a head that is known better."""
        self.fit.avatar.head = person.head
        self.fit.corrections.head = TorchHead(person.head).to(self.fit.avatar.device)
        self.state_range(widen=False)

    def step(self, batch: Tensor, done: float, tally: Tally) -> None:
        """One batch [B] of slots."""
        fit, settings = self.fit, self.fit.settings
        set_rates(self._optimiser, Schedule(done, FALL_FROM, FALL_FROM))
        half = done < settings.half_size_share
        base_only = done < settings.base_only_images / settings.images
        train_step(fit, self._optimiser, batch, half, base_only, tally)
        self._steps += 1
        hold_limits(fit, self._steps)

    def renew(self, slot: int) -> None:
        """What the fit holds of each frame, for a slot that shows another."""
        fit, number = self.fit, torch.tensor([slot])
        fit.details[slot] = detail_maps(fit.avatar, fit.frames, fit.detail, number)[0]
        for values in fit.corrections.parameters():
            with torch.no_grad():
                values[slot] = 0
            for moment in self._optimiser.state[values].values():
                if moment.shape == values.shape:
                    moment[slot] = 0
        self.state_range(widen=True)
        self._fresh.append(slot)
        if len(self._fresh) >= REFRESH:
            self._colour_late()
            self._fresh.clear()

    def state_range(self, widen: bool) -> None:
        """Centre, spread and range of the codes in the pools; `widen` never narrows the range."""
        now = _statistics(self.fit.frames)
        if widen:
            now.low = np.minimum(self._statistics.low, now.low)
            now.high = np.maximum(self._statistics.high, now.high)
        self.fit.avatar.weights.restate(now)
        self._statistics = now

    def _colour_late(self) -> None:
        if self._hidden.any():
            newest = torch.tensor(self._fresh[-NEWEST:])
            self._hidden = reveal(self.fit.avatar, self.fit.frames, newest, self._hidden)


def _statistics(frames: FrameSlots) -> CodeStatistics:
    return CodeStatistics(frames.codes[: len(frames)].cpu().numpy())
