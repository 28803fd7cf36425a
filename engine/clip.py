"""The tracked clip: a folder that holds what tracking found, one frame at a time on demand.

    clip.json      version, size, fps, camera, source file and hash, tracking quality
    head.npz       the personalised head
    tracking.npz   HeadParams arrays [T, ...], times [T], confidence [T], landmarks [T, 478, 2]
    frames/00000.png  RGBA, straight foreground colour + matte, size x size
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .api.head import HeadParams


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
