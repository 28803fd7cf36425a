"""Where training pictures lie while a fit reads them over and over: on disk, or on the GPU.

A store has numbered slots for premultiplied RGBA pictures of one size. It does not know what they
show; a slot may be filled again, which is how a pool of streamed frames replaces its oldest.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..api.errors import LikenessError
from ..imaging import resize


class PictureStore(Protocol):
    """Slots for pictures [H, W, 4] uint8."""

    def put(self, slot: int, picture: np.ndarray) -> None:
        """Fill a slot. Raises LikenessError when there is no room."""

    def read(self, slots: Tensor, half: bool) -> Tensor:
        """Pictures [B, H, W, 4] uint8 of the slots [B], or their area means at half the size."""


def picture_store(
    slots: int, height: int, width: int, device: torch.device, folder: Path | None = None
) -> PictureStore:
    """Empty slots on `device`; the CPU's lie on disk in `folder`, or with temporary files."""
    if device.type == "cpu":
        return PicturesOnDisk(height, width, folder)
    return PicturesOnDevice(slots, height, width, device)


class PicturesOnDisk:
    """One unnamed file, gone with the process however that ends. A minute of 512 x 512 is 1.9 GB:
    too much for memory, while the system's file cache holds of it what fits."""

    def __init__(self, height: int, width: int, folder: Path | None = None) -> None:
        self._shape = height, width, 4
        self._folder = folder or Path(tempfile.gettempdir())
        self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with the store

    def put(self, slot: int, picture: np.ndarray) -> None:
        """Fill a slot. Raises LikenessError when the disk is full."""
        if picture.shape != self._shape:
            raise ValueError(f"a picture of {picture.shape} in slots of {self._shape}")
        try:
            self._seek(slot)
            self._file.write(np.ascontiguousarray(picture).data)
            self._file.flush()
        except OSError as error:
            raise LikenessError(
                f"The training pictures cannot be kept in {self._folder}: {error.strerror}.",
                "Free some space, or choose a smaller size or a folder on another disk.",
            ) from error

    def read(self, slots: Tensor, half: bool) -> Tensor:
        """Pictures [B, H, W, 4] uint8 of the slots [B], or their area means at half the size."""
        pictures = np.empty((len(slots), *self._shape), np.uint8)
        for picture, slot in zip(pictures, slots.tolist(), strict=True):
            self._seek(slot)
            self._file.readinto(picture.data)
        if half:
            pictures = np.stack([halved(picture) for picture in pictures])
        return torch.from_numpy(pictures)

    def _seek(self, slot: int) -> None:
        height, width, channels = self._shape
        self._file.seek(slot * height * width * channels)


class PicturesOnDevice:
    """Two blocks in a GPU's memory: reading them there costs a fit nothing."""

    def __init__(self, slots: int, height: int, width: int, device: torch.device) -> None:
        shapes = (height, width), (height // 2, width // 2)
        self._full, self._half = (
            torch.zeros((slots, *shape, 4), dtype=torch.uint8, device=device) for shape in shapes
        )

    def put(self, slot: int, picture: np.ndarray) -> None:
        """Fill a slot."""
        self._full[slot] = torch.from_numpy(picture)
        self._half[slot] = torch.from_numpy(halved(picture))

    def read(self, slots: Tensor, half: bool) -> Tensor:
        """Pictures [B, H, W, 4] uint8 of the slots [B], or their area means at half the size."""
        return (self._half if half else self._full)[slots]


def halved(picture: np.ndarray) -> np.ndarray:
    """A picture [H, W, C] at half its size: area means, right also at a premultiplied edge."""
    return resize(picture, picture.shape[1] // 2, picture.shape[0] // 2)
