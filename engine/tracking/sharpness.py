"""How sharp the face is in each frame: fine detail against coarse, so that light does not count."""

from __future__ import annotations

import numpy as np

from ..imaging import fill_polygon, gaussian_blur, to_grey
from .in_order import in_order

FACE_POINTS = 468
FOREHEAD, CHIN = 10, 152
# Scales in pixels of a face this tall, which a good 512 px crop has.
FACE_HEIGHT = 250.0
FINE, MIDDLE, COARSE = 0.8, 1.6, 6.0


def sharpness(images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Contrast of detail of one to two pixels over that of two to six [T]; NaN where lost.

    `images` [T, H, W, 3] uint8, `landmarks` [T, 478, 3] pixels. A lens out of focus, motion and
    enlargement all lower it; brightness and contrast do not change it.
    """
    return np.array(list(in_order(_of_one, zip(images, landmarks[..., :2], strict=True))))


def _of_one(frame: tuple[np.ndarray, np.ndarray]) -> float:
    image, points = frame
    if np.isnan(points[0, 0]):
        return np.nan
    outline = points[:FACE_POINTS]
    scale = float(np.linalg.norm(points[FOREHEAD] - points[CHIN])) / FACE_HEIGHT
    low = np.maximum(outline.min(0).astype(int), 0)
    high = np.minimum(outline.max(0).astype(int) + 1, image.shape[1::-1])
    if (high - low < 8).any():
        return np.nan
    box = slice(low[1], high[1]), slice(low[0], high[0])
    grey = to_grey(np.ascontiguousarray(image[box])).astype(np.float32)
    inside = fill_polygon(grey.shape, outline - low)
    fine, middle, coarse = (gaussian_blur(grey, sigma * scale) for sigma in (FINE, MIDDLE, COARSE))
    return float((fine - middle)[inside].std() / max((middle - coarse)[inside].std(), 1e-6))
