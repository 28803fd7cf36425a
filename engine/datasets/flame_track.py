"""What the layouts have in common: FLAME parameters, cameras and images, one of each per frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..api.errors import TrackingError
from ..imaging import read_image

SHAPES, EXPRESSIONS = 300, 100
HINT = "Give the data set's folder as its tracker wrote it."
PER_FRAME = ("expression", "rotation", "translation", "neck", "jaw", "eyes", "eyelids",
             "viewmats", "images", "masks", "parsing")  # fmt: skip
LARGEST = 1e4  # no parameter of a tracked head is larger


@dataclass(frozen=True)
class FlameTrack:
    """T frames of one person: p_camera = viewmat @ (R (v(shape, exp, joints) - J0) + J0 + t)."""

    layout: str
    version: str  # of FLAME: 2020 or 2023
    shape: np.ndarray  # [300]
    expression: np.ndarray  # [T, 100]
    rotation: np.ndarray  # [T, 3] rotation vectors about FLAME's root joint J0
    translation: np.ndarray  # [T, 3] metres
    neck: np.ndarray  # [T, 3]
    jaw: np.ndarray  # [T, 3]
    eyes: np.ndarray  # [T, 2, 3] left, right
    eyelids: np.ndarray  # [T, 2] left, right, 0 as in the expression .. 1 shut
    viewmats: np.ndarray  # [T, 4, 4] OpenCV, world to camera
    K: np.ndarray  # [3, 3] pixels of the images
    images: tuple[Path, ...]  # T
    masks: tuple[Path, ...] = ()  # T, or none where the images have an alpha channel
    parsing: tuple[Path, ...] = ()  # T masks of head and neck alone, where the layout has them
    offset: np.ndarray | None = None  # [5023, 3] of the person, metres
    neck_is_rigid: bool = False  # the whole head was tracked as one body
    notes: tuple[str, ...] = ()  # in words, for the user

    def __len__(self) -> int:
        return len(self.images)

    def first(self, count: int) -> FlameTrack:
        """The first `count` frames."""
        return replace(self, **{name: getattr(self, name)[:count] for name in PER_FRAME})


def numbers(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """A parameter as float64 of `shape`, leading axes of length 1 dropped. Raises TrackingError."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise TrackingError(f"{name} is no array of numbers.", HINT) from error
    found = array.shape
    while array.ndim > len(shape) and array.shape[0] == 1:
        array = array[0]
    if array.shape != shape:
        raise TrackingError(f"{name} is {found}, expected {shape}.", HINT)
    if not np.isfinite(array).all() or np.abs(array).max(initial=0) > LARGEST:
        raise TrackingError(f"{name} holds something that is no sensible number.", HINT)
    return array


def padded(values: np.ndarray, length: int, name: str) -> np.ndarray:
    """A vector [n <= length] with zeros for the directions that its tracker did not use."""
    values = values.reshape(-1)
    if values.dtype.kind not in "iuf":
        raise TrackingError(f"{name} is no array of numbers.", HINT)
    if len(values) > length:
        raise TrackingError(f"{name} has {len(values)} numbers, at most {length} expected.", HINT)
    return numbers(np.pad(values, (0, length - len(values))), (length,), name)


def one_of(folder: Path, names: list[str], what: str) -> Path:
    """The first of `names` that is a file in `folder`. Raises TrackingError when none is."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise TrackingError(f"{what} {names[0]} is missing in {folder}.", HINT)


def inside(folder: Path, relative: Any, what: str) -> Path:
    """A path that a file in `folder` names, which must lie in it. Raises TrackingError."""
    if not isinstance(relative, str):
        raise TrackingError(f"A frame names no {what}.", HINT)
    path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise TrackingError(f"A frame's {what} lies outside the data set: {relative[:80]}.", HINT)
    return path


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image. Raises TrackingError when it cannot be read."""
    image = read_image(path) if path.is_file() else None
    if image is None:
        raise TrackingError(f"{path.name} is missing or no readable image.", HINT)
    height, width = image[0].shape[:2]
    return width, height
