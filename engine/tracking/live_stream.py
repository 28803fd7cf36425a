"""A camera, or a file played at its own rate, tracked while it runs: a thread reads, one tracks.

Frames are never waited for and none waits for us. When tracking is behind, the newest frame comes
first; the others wait in a backlog that holds a fair sample of them, and come later, for the pool
of history. Threads, not turns with the learning: MediaPipe, OpenCV and the rasteriser all run
outside Python's lock, so that two cores work at once, and no step of learning delays a frame.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator

import numpy as np

from ..api.head import HeadModel
from ..api.settings import TrackSettings
from ..footage import FootageFrame
from ..stream import Event
from .crop import HeadCrop
from .live import Crop, live_crop, live_tracker

LOOK_FRAMES = 8
"""The crop is found in so many first frames."""
BACKLOG = 150
"""Crops that may wait; 512 x 512 pixels each, 120 MB."""
READY = 64
"""Tracked frames that may wait to be taken."""
PAUSE = 0.1
"""Seconds after which a waiting thread looks whether it is still wanted."""


class Backlog:
    """Crops that wait to be tracked: the newest, and a uniform sample of those it overtook."""

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._size, self._random = size, np.random.default_rng(0)
        self._newest: Crop | None = None
        self._waiting: list[Crop] = []
        self._overtaken = 0  # since nothing waited
        self._closed = False
        self._changed = threading.Condition()

    def put(self, crop: Crop) -> None:
        """Add the newest; the one before it, if it is still here, waits from now on."""
        with self._changed:
            if self._newest is not None:
                self._overtake(self._newest)
            self._newest = crop
            self._changed.notify()

    def take(self) -> tuple[Crop, bool] | None:
        """The newest (and True), else one that waits (and False); waits itself while there is
        none. None when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._waiting or self._closed)
            if self._newest is not None:
                crop, self._newest = self._newest, None
                return crop, True
            if not self._waiting:
                return None
            self._overtaken = 0 if len(self._waiting) == 1 else self._overtaken
            return self._waiting.pop(0), False

    def close(self, clear: bool = False) -> None:
        """No more will come; `clear` forgets what waits."""
        with self._changed:
            self._closed = True
            if clear:
                self._newest, self._waiting = None, []
            self._changed.notify_all()

    def _overtake(self, crop: Crop) -> None:
        self._overtaken += 1
        if len(self._waiting) < self._size:
            self._waiting.append(crop)
            return
        self.dropped += 1
        place = int(self._random.integers(self._overtaken))
        if place < self._size:
            self._waiting[place] = crop


class LiveStream:
    """A running stream; `close` it in the end."""

    def __init__(
        self,
        frames: Iterator[FootageFrame],
        length: float,
        settings: TrackSettings,
        head: HeadModel,
        paced: bool,
        crop: HeadCrop | None = None,
    ) -> None:
        """`frames` are played by their times when `paced`; a camera paces itself. `length` is in
        seconds, infinite when unknown. Without `crop` the first frames tell it."""
        self.length = length
        self._seen = self._tracked = 0
        self._frames, self._settings, self._head = frames, settings, head
        self._paced, self._crop = paced, crop
        self._backlog = Backlog(BACKLOG)
        self._events: queue.Queue[list[Event]] = queue.Queue(READY)
        self._unwanted = threading.Event()  # no more frames
        self._abandoned = threading.Event()  # nor what has come
        self._cropped = threading.Event()
        self._fault: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (self._read, self._track)
        ]
        for thread in self._threads:
            thread.start()

    def take(self) -> list[Event]:
        """What has come since the last call. Raises what went wrong in reading or tracking."""
        if self._fault is not None:
            raise self._fault
        events: list[Event] = []
        while not self._events.empty():
            events += self._events.get_nowait()
        return events

    @property
    def over(self) -> bool:
        """Whether everything has come and was taken."""
        at_work = any(thread.is_alive() for thread in self._threads)
        return not at_work and self._events.empty() and self._fault is None

    @property
    def counts(self) -> dict[str, int]:
        """Frames so far: read, tracked, and dropped because too many waited."""
        return {"seen": self._seen, "tracked": self._tracked, "dropped": self._backlog.dropped}

    def close(self) -> None:
        """End both threads."""
        self._unwanted.set()
        self._abandoned.set()
        self._backlog.close(clear=True)
        for thread in self._threads:
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as fault:  # noqa: BLE001 - told to who takes
            self._fault = self._fault or fault
            self._unwanted.set()
        finally:
            if work == self._read:
                self._cropped.set()
                self._backlog.close()

    def _read(self) -> None:
        first: list[FootageFrame] = []
        for frame in self._wanted():
            self._seen += 1
            first.append(frame)
            if self._crop is not None or len(first) == LOOK_FRAMES:
                self._send(first)
        if first:
            self._send(first)

    def _wanted(self) -> Iterator[FootageFrame]:
        """The source's frames, each when it is due, until they are wanted no more."""
        began = time.monotonic()
        for frame in self._frames:
            if self._paced:
                self._unwanted.wait(max(0.0, began + frame.time - time.monotonic()))
            if self._unwanted.is_set():
                break
            yield frame
        if isinstance(self._frames, Generator):
            self._frames.close()  # ends ffmpeg, or lets go of the camera, at once

    def _send(self, frames: list[FootageFrame]) -> None:
        """Cut the newest frames to the head and hand them on; the list is emptied."""
        if self._crop is None:
            self._crop = live_crop(frames)
        self._cropped.set()
        size = self._settings.size
        for number, frame in enumerate(frames, self._seen - len(frames)):
            alpha = frame.alpha
            alpha = None if alpha is None else self._crop.image(alpha, size, outside=0)
            self._backlog.put(Crop(number, frame.time, self._crop.image(frame.rgb, size), alpha))
        frames.clear()

    def _track(self) -> None:
        self._cropped.wait()
        if self._crop is None:
            return
        with live_tracker(self._head, self._crop, self._settings) as tracker:
            while (waiting := self._backlog.take()) is not None:
                self._tell(tracker.track(*waiting))
                self._tracked += 1
            if not self._abandoned.is_set():
                self._tell(tracker.end())

    def _tell(self, events: list[Event]) -> None:
        while events and not self._abandoned.is_set():
            try:
                self._events.put(events, timeout=PAUSE)
                return
            except queue.Full:
                continue
