"""Filming with a camera. OpenCV opens a video in a camera's place, by the same calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.api.errors import FootageError
from engine.footage import open_footage
from engine.recording import is_camera, record
from engine.video import encode


@pytest.fixture
def camera(tmp_path: Path) -> str:
    """A camera that shows ever brighter pictures, for a while."""
    path = tmp_path / "device.mp4"
    encode(path, [np.full((48, 64, 3), 20 + index % 200, np.uint8) for index in range(1000)], 64,
           48, 30.0)  # fmt: skip
    return f"camera:{path}"


def test_a_recording_has_the_length_that_was_asked_for(
    camera: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.recording.WARM_UP_SECONDS", 0.02)
    heard: list[float] = []
    film = open_footage(record(camera, 0.2, tmp_path / "film.mp4", heard.append))
    assert is_camera(camera)
    assert film.size == (64, 48)
    # The stand-in gives more frames a second than any camera: its rate is held to 120.
    assert abs(len(list(film.frames())) / film.fps - 0.2) < 0.05
    assert heard[-1] == 1.0


def test_a_camera_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="There is no camera '/dev/none'"):
        record("camera:/dev/none", 1.0, tmp_path / "film.mp4", lambda share: None)
    with pytest.raises(FootageError, match="needs a length"):
        record("camera:0", 0.0, tmp_path / "film.mp4", lambda share: None)
    assert list(tmp_path.iterdir()) == []
