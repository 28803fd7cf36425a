"""The sample's camera: static, at the world's origin, looking along -z (OpenCV when flipped)."""

from __future__ import annotations

import numpy as np

FRAME = 720  # pixels, side of the sample's frames
MARGIN = 40  # pixels of the enlarged portrait beyond each side, for a body that sways
SIZE = FRAME + 2 * MARGIN  # side of the enlarged portrait
FOCAL = 1.3 * FRAME  # pixels; what tracking assumes of an unknown lens (facts/tracking.md 3)
WORLD_TO_CAMERA = np.diag([1.0, -1.0, -1.0]).astype(np.float32)


def camera_matrix(scale: float = 1.0, size: int = SIZE) -> np.ndarray:
    """K [3, 3] for an image of `scale` times `size`: the portrait's, or FRAME."""
    half = size / 2
    return np.array([[FOCAL, 0, half], [0, FOCAL, half], [0, 0, 1 / scale]], np.float32) * scale


def project(world: np.ndarray) -> np.ndarray:
    """Pixels [..., 2] of world points [..., 3]."""
    point = world @ WORLD_TO_CAMERA
    return point[..., :2] / point[..., 2:] * FOCAL + SIZE / 2


def unproject(pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """World points [..., 3] of pixels [..., 2] at camera depth [...]."""
    sideways = (pixels - SIZE / 2) / FOCAL * depth[..., None]
    return np.concatenate([sideways, depth[..., None]], -1) @ WORLD_TO_CAMERA
