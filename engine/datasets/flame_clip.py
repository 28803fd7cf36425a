"""From a tracked data set to a tracked clip without tracking: head, motion, camera, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..api.errors import TrackingError
from ..api.head import HeadModel, HeadParams
from ..api.settings import TrackSettings
from ..clip import Camera, TrackedClip, frame_path, new_clip_folder, write_clip
from ..footage import FOLDER_FPS
from ..heads.flame import flame_version, open_flame, same_flame
from ..imaging import crop_square, read_image, write_png
from ..tracking.mattes import matted
from ..tracking.matting import foreground
from ..tracking.pose import VIEWMAT, project
from ..tracking.shoulders import shown_part
from .flame_model import flame_person
from .flame_motion import flame_motion
from .flame_track import HINT, FlameTrack, image_size
from .layouts import Layout, folder_digest

# The square round the head in images that are no squares, in sizes of the head's own box.
MARGIN = 1.25
REGISTER = (
    "Give your own copy with --head (register at flame.is.tue.mpg.de), or track its images anew "
    "with --retrack."
)
Report = Callable[[str, float], None]


class Square(NamedTuple):
    """The part of the images that becomes the clip's."""

    left: int
    top: int
    side: int

    def intrinsics(self, K: np.ndarray, size: int) -> np.ndarray:
        """K [3, 3] of the square scaled to `size`."""
        scale = size / self.side
        moved = K.copy()
        moved[:2, 2] -= (self.left, self.top)
        moved[:2] *= scale
        return moved


def import_clip(
    folder: Path, layout: Layout, directory: Path, settings: TrackSettings, report: Report
) -> TrackedClip:
    """Write the data set in `folder` to `directory` as a tracked clip.

    `report(stage, fraction)` may raise Cancelled; `directory` is whole at the end, else as it was.
    Raises TrackingError and HeadError, in one line, for whatever is wrong.
    """
    model = _model(layout, settings.head)
    directory = directory.absolute()
    report("reading", 0.0)
    track = layout.read(folder, settings.camera)
    if settings.max_frames:
        track = track.first(settings.max_frames)
    file = open_flame(model)
    person = flame_person(file.arrays, track, model)
    head, params = flame_motion(
        file, person, track, FOLDER_FPS, lambda share: report("reading", 0.5 + share / 2)
    )
    points = camera_points(head, params)
    square = square_of(image_size(track.images[0]), project(points, track.K))
    size = min(settings.size, square.side)
    K = square.intrinsics(track.K, size)
    landmarks = _landmarks(head, points, K)
    with new_clip_folder(directory) as work:
        info = {
            "source": {
                "name": folder.name,
                "sha256": folder_digest(folder),
                "layout": track.layout,
            },
            "settings": asdict(settings),
            "quality": {"warnings": list(track.notes)},
        }
        shown = shown_part(head, params, K, replace(settings, size=size))
        _write_frames(work, track, square, size, landmarks, shown, settings, report)
        write_clip(
            TrackedClip(
                work,
                info,
                Camera(VIEWMAT, K, size, size),
                FOLDER_FPS,
                params,
                np.arange(len(track)) / FOLDER_FPS,
                np.ones(len(track), np.float32),
                landmarks,
            ),  # fmt: skip
            head,
        )
    return TrackedClip.load(directory)


def _model(layout: Layout, head: str) -> Path:
    """The FLAME file to read. Raises TrackingError and HeadError when it is not the right one."""
    if not head:
        raise TrackingError(
            f"This {layout.label} data set describes a FLAME {layout.version} head, whose file may "
            "not be shipped.",
            REGISTER,
        )
    same_flame(f"FLAME {flame_version(head)}", layout.version)
    return Path(head)


def camera_points(head: HeadModel, params: HeadParams) -> np.ndarray:
    """The head's vertices [T, V, 3] before the camera, OpenCV axes."""
    posed = np.stack([head.pose(params[index]) for index in range(len(params))])
    return posed @ VIEWMAT[:3, :3].T


def square_of(size: tuple[int, int], pixels: np.ndarray) -> Square:
    """The images whole if they are square, else a square round the head's pixels [T, V, 2]."""
    width, height = size
    if width == height:
        return Square(0, 0, width)
    low, high = pixels.min((0, 1)), pixels.max((0, 1))
    side = round(min(float((high - low).max()) * MARGIN, max(width, height)))
    left, top = np.round((low + high - side) / 2).astype(int)
    return Square(int(left), int(top), side)


def _landmarks(head: HeadModel, points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """MediaPipe's landmarks [T, 478, 2] of the posed head, in pixels; NaN where it has none."""
    corners = points[:, head.faces[head.landmark_faces]]
    places = np.einsum("lk,tlkc->tlc", head.landmark_barycentrics, corners)
    pixels = project(places, K).astype(np.float32)
    pixels[:, head.landmark_faces < 0] = np.nan
    return pixels


def _write_frames(
    work: Path,
    track: FlameTrack,
    square: Square,
    size: int,
    landmarks: np.ndarray,
    shown: Callable[[int], np.ndarray | float],
    settings: TrackSettings,
    report: Report,
) -> None:
    (work / "frames").mkdir()
    pictures = Pictures(track, square, size, settings.shoulders == "cut")
    alphas: Iterator[np.ndarray] = (
        (pictures.alpha(index) for index in range(len(track)))
        if pictures.has_alpha
        else matted(pictures, landmarks[:, :468], settings)
    )
    for index, alpha in enumerate(alphas):
        if not track.parsing:
            alpha = alpha * shown(index)
        color = foreground(pictures[index], alpha)
        matte = (alpha * 255).round().astype(np.uint8)
        write_png(frame_path(work, index), np.dstack([color, matte]))
        report("pictures", (index + 1) / len(track))


class Pictures(Sequence[np.ndarray]):
    """The images of a data set as the clip shows them, read on demand."""

    def __init__(self, track: FlameTrack, square: Square, size: int, head_only: bool) -> None:
        self._track = track
        self._square = square
        self._size = size
        self._head_only = head_only and bool(track.parsing)
        self._full = image_size(track.images[0])
        self.has_alpha = bool(track.masks) or self._read(track.images[0])[1] is not None

    def __len__(self) -> int:
        return len(self._track)

    def __getitem__(self, index: Any) -> Any:
        """The colours [H, W, 3] of a frame."""
        return self._cut(self._read(self._track.images[index])[0])

    def alpha(self, index: int) -> np.ndarray:
        """The matte [H, W] float32 of a frame. Raises TrackingError where it has none."""
        track = self._track
        if track.masks:
            matte = _grey(self._read(track.masks[index]))
        else:
            found = self._read(track.images[index])[1]
            if found is None:
                raise TrackingError(f"{track.images[index].name} has no alpha channel.", HINT)
            matte = found
        alpha = self._cut(matte, outside=0).astype(np.float32) / 255
        if self._head_only:
            only = _grey(self._read(track.parsing[index]))
            alpha = alpha * (self._cut(only, outside=0).astype(np.float32) / 255)
        return alpha

    def _read(self, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
        image = read_image(path) if path.is_file() else None
        if image is None:
            raise TrackingError(f"{path.name} is missing or no readable image.", HINT)
        height, width = image[0].shape[:2]
        if (width, height) != self._full:
            raise TrackingError(
                f"{path.name} is {width}x{height}, the others are {self._full[0]}x{self._full[1]}.",
                HINT,
            )
        return image

    def _cut(self, image: np.ndarray, outside: int | None = None) -> np.ndarray:
        return crop_square(image, *self._square, self._size, outside)


def _grey(image: tuple[np.ndarray, np.ndarray | None]) -> np.ndarray:
    """A mask image's values [H, W]."""
    return image[0][..., 0]
