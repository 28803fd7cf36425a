"""Mattes that keep up with a camera: the person mask as it is, its edges cleaned of background."""

from __future__ import annotations

import numpy as np

from ..imaging import connected_component, dilate, erode, fill_polygon, resize
from .matting import BAND, foreground


def quick_matte(mask: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Alpha [H, W] float32 without matting: the person's probability `mask` [H, W] where it hangs
    together with the `face` [N, 2] in pixels."""
    seed = fill_polygon(mask.shape, face)
    person = connected_component((mask > 0.5) | seed, seed)
    near = dilate(person, max(2, round(2 * BAND * len(mask) / 512)))
    return np.where(near, np.maximum(mask, erode(seed, 2)), 0).astype(np.float32)


def quick_foreground(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """`foreground` at a fifth of its cost: local means at half the size, sharp where it matters."""
    height, width = alpha.shape
    small = resize(image, width // 2, height // 2)
    small_alpha = resize(alpha.astype(np.float32), width // 2, height // 2)
    ahead = resize(foreground(small, small_alpha), width, height)
    result = image.copy()
    band = alpha < 0.95
    share = np.maximum(alpha[band, None], 0) / 0.95
    result[band] = (share * image[band] + (1 - share) * ahead[band]).round().astype(np.uint8)
    return result
