"""The tracked clip: a folder that holds what tracking found, one frame at a time on demand.

clip.json      version, size, fps, camera, source file and hash, tracking quality
head.npz       the personalised head
tracking.npz   HeadParams arrays [T, ...], times [T], confidence [T], landmarks [T, 478, 2]
frames/00000.png  RGBA, straight foreground colour + matte, size x size
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .api.errors import TrackingError
from .api.head import HeadModel, HeadParams

CLIP_VERSION = 1
HINT = "Track the footage again."


class Camera(NamedTuple):
    """One pinhole camera, NumPy."""

    viewmat: np.ndarray  # [4, 4]
    K: np.ndarray  # [3, 3]
    width: int
    height: int


@dataclass(frozen=True)
class TrackedFrame:
    """One frame of the head crop."""

    image: np.ndarray  # [H, W, 3] uint8 straight foreground colour
    alpha: np.ndarray  # [H, W] uint8
    camera: Camera
    params: HeadParams


@dataclass(frozen=True)
class TrackedClip:
    """T tracked frames of one head before a static camera. Images are read on demand."""

    directory: Path
    info: dict[str, Any]  # version, source, quality, warnings, settings
    camera: Camera
    fps: float
    params: HeadParams  # leading axis T
    times: np.ndarray  # [T] seconds from the start of the footage
    confidence: np.ndarray  # [T] 0 lost .. 1 sure
    landmarks: np.ndarray  # [T, 478, 2] pixels of the crop, NaN where lost

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def head(self) -> HeadModel:
        """The personalised head. Raises HeadError when its file is damaged."""
        from .heads.head_file import read_head

        return read_head(self.directory / "head.npz")

    @property
    def takes(self) -> list[range]:
        """The frames of each continuous stretch: one for each file of the footage."""
        files = self.info.get("source", {}).get("files", [])
        return [range(*file["frames"]) for file in files] or [range(len(self))]

    def frame(self, index: int) -> TrackedFrame:
        """One frame. Raises TrackingError when its image is missing or damaged."""
        from .imaging import read_image

        index = range(len(self))[index]
        path = frame_path(self.directory, index)
        image = read_image(path) if path.is_file() else None
        if image is None or image[1] is None or image[1].shape != self.image_shape:
            raise TrackingError(f"Frame {path.name} of {self.directory} is damaged.", HINT)
        return TrackedFrame(image[0], image[1], self.camera, self.params[index])

    @property
    def image_shape(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width

    @staticmethod
    def load(directory: str | Path) -> TrackedClip:
        """Open a clip's folder. Raises TrackingError that says what is wrong with it."""
        directory = Path(directory)
        info = _read_json(directory)
        arrays = _read_arrays(directory / "tracking.npz")
        try:
            camera = Camera(
                np.array(info["camera"]["viewmat"], float).reshape(4, 4),
                np.array(info["camera"]["K"], float).reshape(3, 3),
                int(info["camera"]["width"]),
                int(info["camera"]["height"]),
            )
            params = HeadParams(*(arrays[field.name] for field in fields(HeadParams)))
            times, confidence = arrays["times"], arrays["confidence"]
            landmarks, fps = arrays["landmarks"], float(info["fps"])
        except (KeyError, TypeError, ValueError) as error:
            raise TrackingError(f"The tracked clip {directory} lacks {error}.", HINT) from error
        lengths = {len(getattr(params, field.name)) for field in fields(HeadParams)}
        lengths |= {len(times), len(confidence), len(landmarks)}
        if len(lengths) != 1 or 0 in lengths:
            raise TrackingError(f"The tracked clip {directory} has arrays of unequal length.", HINT)
        if not (directory / "head.npz").is_file():
            raise TrackingError(f"The tracked clip {directory} lacks head.npz.", HINT)
        return TrackedClip(directory, info, camera, fps, params, times, confidence, landmarks)


def is_clip(path: str | Path) -> bool:
    """Whether a path is the folder of a tracked clip, by its clip.json."""
    return (Path(path) / "clip.json").is_file()


def frame_path(directory: Path, index: int) -> Path:
    """Where frame `index` of a clip lies."""
    return directory / "frames" / f"{index:05d}.png"


def check_clip_folder(directory: Path) -> None:
    """Raise TrackingError where a clip must not be written: something else is there."""
    free = not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))
    if not free and not is_clip(directory):
        raise TrackingError(
            f"{directory} exists and is not a tracked clip.", "Choose another folder."
        )


@contextmanager
def new_clip_folder(directory: Path) -> Iterator[Path]:
    """A folder to write a clip into, which takes the place of `directory` once it is whole.

    Until then an earlier clip there stays. Raises TrackingError when something else is there.
    """
    check_clip_folder(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        yield work
        if directory.exists():
            old = work.with_name(work.name + "-old")
            os.replace(directory, old)
            os.replace(work, directory)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(work, directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_clip(clip: TrackedClip, head: HeadModel) -> None:
    """Write everything but the frames into `clip.directory`, which exists. clip.json comes last."""
    from .heads.head_file import write_head

    write_head(clip.directory / "head.npz", head)
    np.savez_compressed(
        clip.directory / "tracking.npz",
        **{field.name: getattr(clip.params, field.name) for field in fields(HeadParams)},
        times=clip.times,
        confidence=clip.confidence,
        landmarks=clip.landmarks,
    )
    camera = {
        "viewmat": clip.camera.viewmat.tolist(),
        "K": clip.camera.K.tolist(),
        "width": clip.camera.width,
        "height": clip.camera.height,
    }
    info = {**clip.info, "version": CLIP_VERSION, "fps": clip.fps, "camera": camera}
    text = json.dumps(info, indent=1, allow_nan=False)
    (clip.directory / "clip.json").write_text(text, encoding="utf-8")


def _read_json(directory: Path) -> dict[str, Any]:
    path = directory / "clip.json"
    if not path.is_file():
        raise TrackingError(f"{directory} is not a tracked clip: no clip.json.", HINT)
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version = int(info["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrackingError(f"{path} is damaged: {error}.", HINT) from error
    if version > CLIP_VERSION:
        raise TrackingError(
            f"{directory} was tracked by a newer version ({version}).", "Update Likeness."
        )
    return info


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TrackingError(f"{path} is damaged or missing: {error}.", HINT) from error
