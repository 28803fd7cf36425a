"""The frames a fit learns from: pictures on disk, their codes and posed heads in memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..api.errors import FootageError
from ..api.head import HeadParams
from ..avatar import drive, param_tensors
from ..clip import Camera, TrackedClip, TrackedFrame
from ..gaussians import Cameras
from ..imaging import resize
from ..progress import Tick, silent
from .picture_store import PictureStore, picture_store

MOST_FRAMES = 1500
"""Longer clips are thinned evenly: neighbours in time show nearly the same."""
PER_SECOND = 8
"""Frames for each second that a fit may take: reading them then costs a fifth of it, not all."""
READERS, READ_AHEAD = 4, 16
"""Threads that decode frames, and how many frames they are given at a time."""
SURE = 0.3
"""Frames tracked with less confidence than this teach nothing good."""


class FrameSlots:
    """Numbered frames as a fit sees them: pictures at one size and half of it, expression codes and
    posed heads, before one static camera."""

    params: HeadParams  # tensors, leading axis S
    codes: Tensor  # [S, C]
    vertices: Tensor  # [S, V, 3] metres
    _pictures: PictureStore

    def __init__(self, camera: Camera, size: int, device: torch.device) -> None:
        """Pictures are shrunk to `size` where they are larger."""
        scale = min(1.0, size / camera.width)
        self.width, self.height = round(camera.width * scale), round(camera.height * scale)
        self.viewmat = torch.from_numpy(np.asarray(camera.viewmat, np.float32)).to(device)
        K = torch.from_numpy(np.asarray(camera.K, np.float32))
        self.K = (K * torch.tensor([[scale], [scale], [1.0]])).to(device)

    def __len__(self) -> int:
        raise NotImplementedError

    def pictures(self, numbers: Tensor, half: bool) -> Tensor:
        """Images [B, H, W, 4] uint8 premultiplied of the frames [B], at full or half size."""
        return self._pictures.read(numbers, half)

    def cameras(self, batch: int, half: bool) -> Cameras:
        """The static camera, `batch` times."""
        part = 2 if half else 1
        K = self.K.clone()
        K[:2] /= part
        return Cameras(
            self.viewmat.expand(batch, 4, 4).contiguous(),
            K.expand(batch, 3, 3).contiguous(),
            self.width // part,
            self.height // part,
        )


class TrainingFrames(FrameSlots):
    """T frames of one clip."""

    def __init__(
        self,
        clip: TrackedClip,
        indices: np.ndarray,
        size: int,
        device: torch.device | None = None,
        folder: Path | None = None,
        tick: Tick = silent,
        least: int = 2,
        seconds: float | None = None,
    ) -> None:
        """Reads the frames `indices` of the clip, shrunk to `size` where they are larger; pictures
        for the CPU are kept in an unnamed file in `folder`. Many frames are thinned evenly, the
        more so for a fit that may take only so many `seconds`.

        Raises FootageError when fewer than `least` frames are usable.
        """
        usable = np.asarray(indices)[np.asarray(clip.confidence)[indices] >= SURE]
        if len(usable) < least:
            raise FootageError(
                f"Only {len(usable)} frames of the clip can be learned from.",
                "Use a longer clip in which the face is visible.",
            )
        most = min(MOST_FRAMES, max(least, int(PER_SECOND * (seconds or MOST_FRAMES))))
        if len(usable) > most:
            usable = usable[np.linspace(0, len(usable) - 1, most).round().astype(int)]
        device = device or torch.device("cpu")
        super().__init__(clip.camera, size, device)
        self.indices = usable
        self.params = param_tensors(clip.params[usable], device)
        codes, vertices = drive(clip.head, clip.params[usable])
        self.codes, self.vertices = codes.to(device), vertices.to(device)
        self._pictures = picture_store(len(usable), self.height, self.width, device, folder)
        for slot, picture in enumerate(_read(clip, usable.tolist(), (self.width, self.height))):
            self._pictures.put(slot, picture)
            tick((slot + 1) / len(usable))

    def __len__(self) -> int:
        return len(self.indices)


def _read(clip: TrackedClip, indices: list[int], size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Premultiplied pictures of frames in their order, a few read at a time: decoding leaves
    Python's lock free."""
    with ThreadPoolExecutor(READERS) as pool:
        for start in range(0, len(indices), READ_AHEAD):
            ahead = indices[start : start + READ_AHEAD]
            yield from pool.map(lambda index: premultiplied(clip.frame(index), size), ahead)


class FrameQueue:
    """Frame numbers without end: every frame once a round, rounds shuffled."""

    def __init__(self, frames: int, generator: torch.Generator) -> None:
        self.frames = frames
        self.waiting = torch.zeros(0, dtype=torch.long)  # what is left of the round
        self._generator = generator

    def take(self, batch: int) -> Tensor:
        """The next frame numbers [batch]."""
        while len(self.waiting) < batch:
            following = torch.randperm(self.frames, generator=self._generator)
            self.waiting = torch.cat([self.waiting, following])
        taken, self.waiting = self.waiting[:batch], self.waiting[batch:]
        return taken


def premultiplied(frame: TrackedFrame, size: tuple[int, int]) -> np.ndarray:
    """A frame as premultiplied RGBA uint8 at `size` (width, height)."""
    alpha = frame.alpha.astype(np.uint16)[..., None]
    product = frame.image * alpha + 128
    colour = (product + (product >> 8)) >> 8  # rounded division by 255, in integers
    image = np.concatenate([colour, alpha], axis=-1).astype(np.uint8)
    # The area mean of premultiplied colour is right at the matte's edge.
    return image if size == image.shape[1::-1] else resize(image, *size)
