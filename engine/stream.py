"""Tracked frames that come in one after the other: what is told of them, and a clip played as such.

A stream is asked what is new and answers at once; nobody waits for a frame. It does not know who
learns from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .api.head import HeadModel, HeadParams
from .clip import Camera, TrackedClip, TrackedFrame


@dataclass(frozen=True)
class Learned:
    """The person as now known. Every pose so far is told again in terms of this head."""

    head: HeadModel
    camera: Camera
    numbers: np.ndarray  # [T] of frames
    params: HeadParams  # leading axis T


@dataclass(frozen=True)
class Arrived:
    """One more tracked frame. Before the first comes a `Learned`."""

    number: int  # in the footage
    time: float  # seconds from the first frame of the footage
    frame: TrackedFrame
    confidence: float  # 0 lost .. 1 sure
    recent: bool = True  # False when it had to wait for newer ones


Event = Learned | Arrived


class Stream(Protocol):
    """Tracked frames at their own pace."""

    length: float
    """Seconds until the stream ends by itself; infinite where nobody knows."""

    def take(self) -> list[Event]:
        """What is new since the last call, in order; often nothing."""

    @property
    def over(self) -> bool:
        """Whether nothing will come any more."""

    def close(self) -> None:
        """End it now, whatever is still to come."""

    @property
    def counts(self) -> dict[str, int]:
        """Frames so far: seen, tracked, dropped."""


class Replay:
    """A tracked clip as a stream: frame after frame as a clock of the caller's makes them due."""

    def __init__(self, clip: TrackedClip, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the stream began."""
        self.length = float(clip.times[-1] - clip.times[0]) + 1 / clip.fps
        self._clip, self._clock = clip, clock
        self._next = 0

    def take(self) -> list[Event]:
        """The frames that have become due. The first call tells of the person."""
        clip, events = self._clip, list[Event]()
        if self._next == 0:
            events.append(Learned(clip.head, clip.camera, np.arange(len(clip)), clip.params))
        now = self._clock() + clip.times[0]
        while self._next < len(clip) and (clip.times[self._next] <= now or self._next == 0):
            number = self._next
            time, confidence = float(clip.times[number]), float(clip.confidence[number])
            frame = clip.frame(number)
            events.append(Arrived(number, time, frame, confidence))
            self._next += 1
        return events

    @property
    def over(self) -> bool:
        """Whether every frame was taken."""
        return self._next >= len(self._clip)

    def close(self) -> None:
        """Nothing runs on its own here."""

    @property
    def counts(self) -> dict[str, int]:
        """Frames so far."""
        return {"seen": self._next, "tracked": self._next, "dropped": 0}
