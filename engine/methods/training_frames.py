"""The frames a fit learns from, held in memory as bytes, with their codes and posed heads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..api.errors import FootageError
from ..avatar import drive
from ..clip import TrackedClip
from ..gaussians import Cameras
from ..imaging import resize

MOST_FRAMES = 1500
"""Longer clips are thinned evenly: 1500 frames of 512 x 512 RGBA are 1.6 GB."""
SURE = 0.3
"""Frames tracked with less confidence than this teach nothing good."""


class TrainingFrames:
    """T frames of one clip at one size, and at half of it for the first phase."""

    def __init__(self, clip: TrackedClip, indices: np.ndarray, size: int) -> None:
        """Reads the frames `indices` of the clip, shrunk to `size` where they are larger.

        Raises FootageError when too few frames are usable.
        """
        usable = np.asarray(indices)[np.asarray(clip.confidence)[indices] >= SURE]
        if len(usable) < 2:
            raise FootageError(
                f"Only {len(usable)} frames of the clip can be learned from.",
                "Use a longer clip in which the face is visible.",
            )
        if len(usable) > MOST_FRAMES:
            usable = usable[np.linspace(0, len(usable) - 1, MOST_FRAMES).round().astype(int)]
        self.indices = usable
        self.codes, self.vertices = drive(clip.head, clip.params[usable])
        camera = clip.camera
        scale = min(1.0, size / camera.width)
        shape = round(camera.width * scale), round(camera.height * scale)
        self.images = torch.from_numpy(
            np.stack([_premultiplied(clip, int(index), shape) for index in usable])
        )  # [T, H, W, 4] uint8
        self.half = torch.from_numpy(np.stack([_halved(image) for image in self.images.numpy()]))
        self.viewmat = torch.from_numpy(np.asarray(camera.viewmat, np.float32))
        self.K = torch.from_numpy(np.asarray(camera.K, np.float32))
        self.K = self.K * torch.tensor([[scale], [scale], [1.0]])

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device) -> TrainingFrames:
        """Moves everything to the device; returns itself."""
        for name in ("codes", "vertices", "images", "half", "viewmat", "K"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def pictures(self, half: bool) -> Tensor:
        """All images [T, H, W, 4] uint8 premultiplied, at full or half size."""
        return self.half if half else self.images

    def cameras(self, batch: int, half: bool) -> Cameras:
        """The clip's static camera, `batch` times."""
        height, width = self.pictures(half).shape[1:3]
        K = self.K.clone()
        K[:2] /= 2 if half else 1
        return Cameras(
            self.viewmat.expand(batch, 4, 4).contiguous(),
            K.expand(batch, 3, 3).contiguous(),
            width,
            height,
        )

    def batches(self, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Endless batches of frame numbers [batch]: every frame once a round, rounds shuffled."""
        queue = torch.zeros(0, dtype=torch.long)
        while True:
            while len(queue) < batch:
                queue = torch.cat([queue, torch.randperm(len(self), generator=generator)])
            yield queue[:batch]
            queue = queue[batch:]


def _premultiplied(clip: TrackedClip, index: int, size: tuple[int, int]) -> np.ndarray:
    """Frame `index` as premultiplied RGBA uint8 at `size` (width, height)."""
    frame = clip.frame(index)
    alpha = frame.alpha.astype(np.uint16)[..., None]
    product = frame.image * alpha + 128
    colour = (product + (product >> 8)) >> 8  # rounded division by 255, in integers
    image = np.concatenate([colour, alpha], axis=-1).astype(np.uint8)
    # The area mean of premultiplied colour is right at the matte's edge.
    return image if size == image.shape[1::-1] else resize(image, *size)


def _halved(image: np.ndarray) -> np.ndarray:
    return resize(image, image.shape[1] // 2, image.shape[0] // 2)
