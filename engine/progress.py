"""Progress of a job: stages in words, one fraction for the whole, an honest time left."""

from __future__ import annotations

import time
from collections.abc import Callable

from .api.messages import Message

Report = Callable[[str, float], None]
"""report(stage, fraction 0..1); it may raise Cancelled."""
Tick = Callable[[float], None]
"""tick(fraction 0..1) of one stage, at least every second or so; it may raise Cancelled."""

EVERY_SECONDS = 0.1
KNOWN_FROM = 0.02
"""Below this share of the job its length is a guess that is not told."""


def silent(fraction: float) -> None:
    """A tick for those who do not listen."""


def parts(tick: Tick, count: int) -> tuple[Tick, ...]:
    """Ticks for the parts of a stage, if they take about as long."""

    def part(number: int) -> Tick:
        return lambda fraction: tick((number + fraction) / count)

    return tuple(part(number) for number in range(count))


def unheard(stage: str, fraction: float) -> None:
    """A report to nobody."""


def one_stage(report: Report, words: str, low: float = 0.0, high: float = 1.0) -> Tick:
    """A tick for one stage of a job, from `low` to `high` of the whole."""
    return lambda fraction: report(words, low + (high - low) * min(max(fraction, 0), 1))


def span(report: Report, low: float, high: float) -> Report:
    """A report for a part of a job: its 0..1 becomes low..high of the whole."""
    return lambda stage, fraction: report(stage, low + (high - low) * min(max(fraction, 0), 1))


class ProgressEvents:
    """Turns reports into progress events: never backwards, at most ten a second."""

    def __init__(self, emit: Callable[[Message], None]) -> None:
        self._emit = emit
        self._started = time.monotonic()
        self._stage, self.fraction, self._told = "", 0.0, -EVERY_SECONDS
        self._skipped = self._skipped_at = 0.0

    def skip_to(self, fraction: float) -> None:
        """What lies before was done by an earlier run: it says nothing about the time left."""
        self.fraction = self._skipped = max(self.fraction, fraction)
        self._skipped_at = time.monotonic() - self._started

    def __call__(self, stage: str, fraction: float) -> None:
        now = time.monotonic() - self._started
        self.fraction = max(self.fraction, fraction)
        if stage == self._stage and now - self._told < EVERY_SECONDS:
            return
        self._stage, self._told = stage, now
        made = self.fraction - self._skipped
        spent = now - self._skipped_at
        left = spent * (1 - self.fraction) / made if made > KNOWN_FROM else None
        self._emit(
            {
                "event": "progress",
                "stage": stage,
                "fraction": round(self.fraction, 4),
                "seconds_left": None if left is None else round(left, 1),
            }
        )
