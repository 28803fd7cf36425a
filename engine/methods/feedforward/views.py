"""Views: tracked pictures of one person, what a feed-forward method sees or is compared with.

They come from a tracked clip or a tracked photo (`views_of`), or from a synthetic person
(engine/people). World space and conventions are those of `engine.api.head`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...api.head import HeadModel
from ...avatar import drive
from ...clip import TrackedClip
from ...gaussians import Cameras
from ..training_frames import premultiplied


@dataclass(frozen=True)
class Views:
    """V pictures of one person, tracked."""

    pictures: Tensor  # [V, H, W, 4] 0..1, premultiplied by the matte (black outside)
    cameras: Cameras  # V of them, for H x W
    codes: Tensor  # [V, C] expression codes of the head
    vertices: Tensor  # [V, n, 3] metres, posed, in the world
    depths: Tensor | None  # [V, H, W] metres of the nearest surface, 0 where none; if known
    head: HeadModel  # personalised: its `vertices` are this person's neutral ones

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: Any) -> Views:
        """The views at `index`: a slice, a list of numbers or a tensor, so V stays an axis."""
        cameras = self.cameras._replace(
            viewmats=self.cameras.viewmats[index], Ks=self.cameras.Ks[index]
        )
        return replace(
            self,
            pictures=self.pictures[index],
            cameras=cameras,
            codes=self.codes[index],
            vertices=self.vertices[index],
            depths=None if self.depths is None else self.depths[index],
        )

    def to(self, device: torch.device | str) -> Views:
        """The same views with their tensors on a device."""
        cameras = self.cameras._replace(
            viewmats=self.cameras.viewmats.to(device), Ks=self.cameras.Ks.to(device)
        )
        return replace(
            self,
            pictures=self.pictures.to(device),
            cameras=cameras,
            codes=self.codes.to(device),
            vertices=self.vertices.to(device),
            depths=None if self.depths is None else self.depths.to(device),
        )


def views_of(clip: TrackedClip, frames: Sequence[int] | np.ndarray, size: int) -> Views:
    """The frames of a tracked clip as views of `size` x `size` pixels (the crop is square).

    Raises TrackingError when a picture is missing or damaged.
    """
    numbers = np.asarray(frames, np.int64)
    pictures = np.stack([premultiplied(clip.frame(int(i)), (size, size)) for i in numbers])
    codes, vertices = drive(clip.head, clip.params[numbers])
    scale = np.array([size / clip.camera.width, size / clip.camera.height, 1.0])
    K = torch.from_numpy((clip.camera.K * scale[:, None]).astype(np.float32))
    viewmat = torch.from_numpy(np.asarray(clip.camera.viewmat, np.float32))
    cameras = Cameras(viewmat.repeat(len(numbers), 1, 1), K.repeat(len(numbers), 1, 1), size, size)
    return Views(
        pictures=torch.from_numpy(pictures).float() / 255,
        cameras=cameras,
        codes=codes,
        vertices=vertices,
        depths=None,
        head=clip.head,
    )
