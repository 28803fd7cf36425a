"""Film a head with a camera of this computer: `camera:0` as footage, for a number of seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from .api.errors import FootageError
from .footage import FootageFrame, camera_frames
from .video import encode

PREFIX = "camera:"
WARM_UP_SECONDS = 1.0
"""Not kept: exposure and white balance settle, and the camera's true rate shows."""
RATES = (5.0, 120.0)
LEAST_FRAMES = 5


def is_camera(source: str | Path) -> bool:
    """Whether a source names a camera and no file."""
    return str(source).startswith(PREFIX)


def record(source: str, seconds: float, path: Path, advance: Callable[[float], None]) -> Path:
    """Film for so many seconds into the video file `path`, which is returned.

    `advance` hears 0..1 and may raise Cancelled. Raises FootageError when there is no such camera
    or it gives no pictures.
    """
    if seconds <= 0:
        raise FootageError("A camera needs a length to film.", "Add --seconds 20.")
    with closing(camera_frames(source.removeprefix(PREFIX))) as frames:
        rate, first = _warm_up(frames)
        total = max(round(seconds * rate), 1)
        height, width = first.rgb.shape[:2]

        def kept() -> Iterator[np.ndarray]:
            yield first.rgb
            for index, frame in enumerate(frames, 2):
                advance(min(index / total, 1.0))
                yield frame.rgb
                if index >= total:
                    return

        try:
            encode(path, kept(), width, height, rate)
        except OSError as error:
            raise FootageError(
                f"The recording failed: {error}.", "Free some disk space."
            ) from error
    return path


def _warm_up(frames: Iterator[FootageFrame]) -> tuple[float, FootageFrame]:
    """The camera's rate in frames per second, and its first settled frame."""
    times: list[float] = []
    for frame in frames:
        times.append(frame.time)
        if frame.time >= WARM_UP_SECONDS and len(times) > LEAST_FRAMES:
            rate = (len(times) - 1) / (times[-1] - times[0])
            return min(max(rate, RATES[0]), RATES[1]), frame
    raise FootageError("The camera gives no pictures.", "Close other programs that use it.")
