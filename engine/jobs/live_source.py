"""Where the frames of a fit on the fly come from: a camera, a file, or a tracked clip, each played
at its own rate."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.head import HeadModel
from ..api.requests import ReconstructRequest
from ..api.settings import TrackSettings
from ..footage import Footage, FootageFrame, camera_frames, footage_digest, open_footage
from ..metrics import held_out
from .live_record import LiveRecord

if TYPE_CHECKING:
    from ..clip import TrackedClip
    from ..stream import Stream

CAMERA = "camera:"
CAMERA_FPS = 30.0
NEVER = 1 << 62
"""The number of a frame that no stream has."""


@dataclass(frozen=True)
class LiveSource:
    """A stream that has not begun."""

    info: dict[str, Any]  # as of a tracked clip: source, settings
    length: float  # seconds, infinite when nobody knows
    fps: float
    first_test: int  # number of the first frame that is only measured
    settings: TrackSettings
    footage: Footage | str | TrackedClip  # a camera by its name

    def record(self, directory: Path) -> LiveRecord:
        """An empty record of the stream."""
        return LiveRecord(directory, self.info, self.fps, self.first_test)

    def open(self) -> Stream:
        """The stream, from now on."""
        from ..stream import Replay
        from ..tracking.live_stream import LiveStream

        if not isinstance(self.footage, Footage | str):
            began = time.monotonic()
            return Replay(self.footage, lambda: time.monotonic() - began)
        paced = isinstance(self.footage, Footage)
        frames = _frames(self.footage, self.settings)
        return LiveStream(frames, self.length, self.settings, self._head(), paced)

    def _head(self) -> HeadModel:
        """Anyone's head, which tracking makes the person's."""
        from ..heads.builtin import builtin_head
        from ..heads.sources import read_any_head

        return read_any_head(self.settings.head) if self.settings.head else builtin_head()


def live_source(request: ReconstructRequest, settings: TrackSettings) -> LiveSource:
    """The source that the request names. Raises FootageError, TrackingError."""
    from ..clip import TrackedClip, is_clip

    if request.source.startswith(CAMERA):
        info = {"source": {"name": request.source}, "settings": asdict(settings)}
        return LiveSource(info, math.inf, CAMERA_FPS, NEVER, settings, request.source)
    if is_clip(request.source):
        clip = TrackedClip.load(request.source)
        length = float(clip.times[-1] - clip.times[0]) + 1 / clip.fps
        first = _first_test(len(clip), request.test_frames)
        return LiveSource(clip.info, length, clip.fps, first, settings, clip)
    footage = open_footage(request.source, settings.masks)
    count = min(footage.count, settings.max_frames or footage.count)
    source = {"name": footage.path.name, "sha256": footage_digest(footage.path)}
    info = {"source": source, "settings": asdict(settings)}
    first = _first_test(count, request.test_frames)
    return LiveSource(info, count / footage.fps, footage.fps, first, settings, footage)


def _first_test(count: int, test_frames: str) -> int:
    tests = held_out(count, test_frames)
    return int(tests[0]) if len(tests) else NEVER


def _frames(footage: Footage | str, settings: TrackSettings) -> Iterator[FootageFrame]:
    if isinstance(footage, str):
        return camera_frames(footage.removeprefix(CAMERA))
    return footage.frames(settings.max_frames)
