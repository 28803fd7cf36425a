"""What a stream leaves behind: the poses of all its frames, and pictures of the held-out ones. At
any moment it is a tracked clip, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..api.head import HeadModel, HeadParams
from ..clip import Camera, TrackedClip, frame_path
from ..heads.head_file import write_head
from ..imaging import write_png
from ..stream import Arrived, Event, Learned
from ..tracking.live import stack_params


class LiveRecord:
    """The clip so far. Frames from the number `first_test` on are kept as pictures."""

    def __init__(self, directory: Path, info: dict[str, Any], fps: float, first_test: int) -> None:
        """Writes into `directory`, which is made; `info` is the clip's."""
        (directory / "frames").mkdir(parents=True)
        self._directory, self._info, self._fps = directory, info, fps
        self._first_test = first_test
        self._frames: dict[int, tuple[float, float, HeadParams]] = {}  # time, confidence, params
        self._person: tuple[HeadModel, Camera] | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def is_test(self, arrived: Arrived) -> bool:
        """Whether the frame is only to be measured."""
        return arrived.number >= self._first_test

    def take(self, event: Event) -> None:
        """Note a frame, or the person."""
        if isinstance(event, Learned):
            self._know(event)
            return
        self._frames[event.number] = (event.time, event.confidence, event.frame.params)
        if self.is_test(event):
            picture = np.dstack([event.frame.image, event.frame.alpha])
            write_png(frame_path(self._directory, event.number), picture)

    def _know(self, person: Learned) -> None:
        self._person = person.head, person.camera
        write_head(self._directory / "head.npz", person.head)
        for row, number in enumerate(person.numbers.tolist()):
            if number in self._frames:
                time, confidence, _ = self._frames[number]
                self._frames[number] = time, confidence, person.params[row]

    def clip(self) -> TrackedClip:
        """The frames so far in order of time; there is at least one. Pictures: see `finished`."""
        if self._person is None or not self._frames:
            raise ValueError("nothing has come yet")
        numbers = sorted(self._frames)
        times, confidence, params = zip(*(self._frames[n] for n in numbers), strict=True)
        unknown = np.broadcast_to(np.float32(np.nan), (len(numbers), 478, 2))
        _, camera = self._person
        return TrackedClip(
            self._directory, self._info, camera, self._fps, stack_params(params),
            np.array(times), np.array(confidence, np.float32), unknown,
        )  # fmt: skip

    def finished(self) -> tuple[TrackedClip, np.ndarray]:
        """The clip with its pictures in place, and which of its frames were held out."""
        numbers = np.array(sorted(self._frames))
        tests = np.flatnonzero(numbers >= self._first_test)
        for row in tests:  # a row is never beyond its number: nothing is overwritten
            path = frame_path(self._directory, int(numbers[row]))
            path.replace(frame_path(self._directory, int(row)))
        return self.clip(), tests.astype(np.int32)
