"""Footage: a video, a folder of images, or one image, read one upright frame at a time.

Videos go through the ffmpeg that imageio-ffmpeg brings: it turns phone footage upright, keeps an
alpha channel and each frame's true time. This module knows nothing of heads.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import numpy as np

from .api.errors import FootageError
from .imaging import camera_pictures, read_image
from .video import VideoStream, decode, probe

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
UNREAD_SUFFIXES = {".heic", ".heif", ".avif", ".dng"}  # of phones; OpenCV reads none of them
FOLDER_FPS = 25.0
# Below, no face can be told; beyond 8K, one frame takes a hundred megabytes.
SIDES = (16, 8192)


class FootageFrame(NamedTuple):
    """One upright frame."""

    time: float  # seconds from the first frame
    rgb: np.ndarray  # [H, W, 3] uint8, display-referred sRGB
    alpha: np.ndarray | None  # [H, W] uint8 where the footage has a matte


@dataclass(frozen=True)
class Footage:
    """What can be iterated, as often as wanted. `count` is an estimate for a video."""

    path: Path
    width: int
    height: int
    fps: float
    count: int
    images: tuple[Path, ...] = ()  # empty for a video
    masks: tuple[Path, ...] = ()
    has_alpha: bool = False
    stream: VideoStream | None = None  # of a video

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        return self.width, self.height

    @property
    def is_image(self) -> bool:
        return len(self.images) == 1

    def frames(self, limit: int = 0) -> Iterator[FootageFrame]:
        """The frames in order, at most `limit` when it is not 0. Raises FootageError on damage."""
        source = self._image_frames() if self.images else self._video_frames()
        for index, frame in enumerate(source):
            if limit and index >= limit:
                return
            if self.masks:
                frame = frame._replace(alpha=self._mask(index))
            yield frame

    def _video_frames(self) -> Iterator[FootageFrame]:
        assert self.stream is not None
        start: float | None = None
        last, index = -math.inf, -1
        for index, (stamp, image) in enumerate(decode(self.path, self.stream)):
            start = stamp if start is None else start
            # Some cameras write equal stamps; a frame is never shown before the one it follows.
            last = max(stamp - start, last + 1e-3) if index else 0.0
            yield FootageFrame(
                last,
                np.ascontiguousarray(image[..., :3]),
                np.ascontiguousarray(image[..., 3]) if self.has_alpha else None,
            )
        if index < 0:
            raise FootageError(f"{self.path.name} holds no frame.", "Is it a video of a head?")
        # The sound of a whole file may outlast its pictures a little; a cut one lacks many.
        duration = self.stream.duration
        if last < 0.85 * duration - 0.5:
            raise FootageError(
                f"{self.path.name} is cut short: {last:.1f} of {duration:.1f} seconds.",
                "Copy the file again, or re-export the part that plays.",
            )

    def _image_frames(self) -> Iterator[FootageFrame]:
        for index, path in enumerate(self.images):
            rgb, alpha = _read(path)
            if rgb.shape[:2] != (self.height, self.width):
                raise FootageError(
                    f"{path.name} is {rgb.shape[1]}x{rgb.shape[0]}, the images before it are "
                    f"{self.width}x{self.height}.",
                    "All images of a sequence must have one size.",
                )
            yield FootageFrame(index / self.fps, rgb, alpha)

    def _mask(self, index: int) -> np.ndarray:
        if index >= len(self.masks):
            raise FootageError(
                f"There are {len(self.masks)} masks but more frames.",
                "Give one mask image per frame, in name order.",
            )
        path = self.masks[index]
        rgb, alpha = _read(path)
        mask = rgb[..., 0] if alpha is None else alpha
        if mask.shape != (self.height, self.width):
            raise FootageError(
                f"Mask {path.name} is {mask.shape[1]}x{mask.shape[0]}, the frames are "
                f"{self.width}x{self.height}.",
                "Masks must have the size of the footage.",
            )
        return mask


def open_footage(path: str | Path, masks: str | Path = "") -> Footage:
    """Footage at a path: a video, a folder of images, or one image; `masks`: a folder.

    Raises FootageError, in one line, for whatever cannot be read.
    """
    path = Path(path)
    _check_readable(path)
    mask_images = _images_in(Path(masks), "masks") if masks else ()
    if path.is_dir():
        return _from_images(path, _images_in(path, "images"), mask_images)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _from_images(path, (path,), mask_images)
    stream = probe(path)
    _check_size(path, stream.width, stream.height)
    return Footage(
        path,
        stream.width,
        stream.height,
        stream.fps,
        max(1, round(stream.duration * stream.fps)),
        masks=mask_images,
        has_alpha=stream.has_alpha,
        stream=stream,
    )


def camera_frames(name: str) -> Generator[FootageFrame, None, None]:
    """Frames of the camera with this number or device file, until it is switched off, stamped as
    they come. Raises FootageError."""
    began: float | None = None
    try:
        for rgb in camera_pictures(int(name) if name.isdecimal() else name):
            now = monotonic()
            began = now if began is None else began
            yield FootageFrame(now - began, rgb, None)
    except OSError as error:
        raise FootageError(
            f"There is no camera '{name}'.",
            "Plug it in, close other programs that use it; camera:0 is the first.",
        ) from error


def _check_readable(path: Path) -> None:
    """Raise FootageError for a path that is not there, not ours to read, or empty."""
    if not path.exists():
        raise FootageError(f"{path} does not exist.", "Check the path.")
    if path.suffix.lower() in UNREAD_SUFFIXES:
        raise FootageError(f"{path.name} is of a kind that cannot be read.", "Save it as JPEG.")
    if path.is_dir():
        return
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise FootageError(
            f"{path} cannot be opened: {error.strerror}.", "Check its permissions."
        ) from error
    if empty:
        raise FootageError(f"{path.name} is empty.", "Copy the file again.")


def _check_size(path: Path, width: int, height: int) -> None:
    if not SIDES[0] <= min(width, height) <= max(width, height) <= SIDES[1]:
        raise FootageError(
            f"{path.name} is {width}x{height}; from {SIDES[0]} to {SIDES[1]} pixels can be used.",
            "Film or export it between 480p and 4K.",
        )


def footage_digest(path: Path) -> str:
    """SHA-256 of the bytes of a video, or of a folder's images in order. Raises FootageError."""
    if not path.exists():
        raise FootageError(f"{path} does not exist.", "Check the path.")
    digest = hashlib.sha256()
    for file in _images_in(path, "images") if path.is_dir() else (path,):
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _from_images(path: Path, images: tuple[Path, ...], masks: tuple[Path, ...]) -> Footage:
    rgb, alpha = _read(images[0])
    height, width = rgb.shape[:2]
    _check_size(images[0], width, height)
    return Footage(
        path, width, height, FOLDER_FPS, len(images), images, masks, has_alpha=alpha is not None
    )


def _images_in(folder: Path, what: str) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise FootageError(f"{folder} is not a folder of {what}.", "Check the path.")
    found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise FootageError(
            f"{folder} has no {what} in it.", f"Expected {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return tuple(sorted(found, key=_natural_order))


def _natural_order(path: Path) -> list[tuple[int, int | str]]:
    # frame10 comes after frame9, whether or not the numbers are padded.
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def _read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    image = read_image(path)
    if image is None:
        raise FootageError(f"{path.name} is not a readable image.", "Is the file whole?")
    return image
