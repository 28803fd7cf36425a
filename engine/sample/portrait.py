"""The sample's person: NASA's public-domain portrait of Eileen Collins from the scikit-image wheel.

Scikit-image belongs to the demo's and the tests' requirements only; nothing else needs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ..imaging import resize
from .camera import SIZE

CROP = (20, -20, 400)  # left, top, side in the 512 x 512 portrait: head, collar and shoulders
# Above this line (pixels of the enlarged crop) everything of the person turns with the head.
COLLAR = (
    (0, 327), (307, 327), (323, 340), (330, 393), (367, 412), (420, 421), (463, 417), (476, 390),
    (493, 365), (800, 385),
)  # fmt: skip


@dataclass(frozen=True)
class Portrait:
    """The enlarged crop, SIZE x SIZE."""

    texture: np.ndarray  # [S, S, 4] float32: straight foreground colour and matte, 0..1
    plate: np.ndarray  # [S, S, 3] float32: the backdrop without the person
    clothes: np.ndarray  # [S, S] bool: below the collar
    landmarks: np.ndarray  # [468, 2] pixels


def load_portrait() -> Portrait:
    """The portrait with its matte and landmarks, ready to be put on the head."""
    from skimage import data

    from ..tracking.closed_form import closed_form_alpha
    from ..tracking.detectors import landmarker, person_segmenter
    from ..tracking.matting import foreground, trimap

    left, top, side = CROP
    # The hair nearly touches the portrait's top: the backdrop above it is mirrored.
    padded = np.pad(data.astronaut(), ((-top, 0), (0, 0), (0, 0)), mode="reflect")
    photo = resize(np.ascontiguousarray(padded[:side, left : left + side]), SIZE, SIZE)
    with landmarker(single_images=True) as find:
        landmarks = find(photo)
    assert landmarks is not None  # the portrait is fixed, and a test holds this
    with person_segmenter() as segment:
        mask = segment(photo)
    alpha = closed_form_alpha(photo, trimap(mask, landmarks[:468, :2]))
    colour = foreground(photo, alpha).astype(np.float32) / 255
    texture = np.dstack([_sharpened(colour), alpha])
    plate = _without(photo.astype(np.float32) / 255, alpha)
    line = np.interp(np.arange(SIZE), *np.transpose(COLLAR))
    clothes = np.arange(SIZE)[:, None] > line[None]
    return Portrait(texture.astype(np.float32), plate, clothes, landmarks[:468, :2])


def _sharpened(image: np.ndarray) -> np.ndarray:
    """Undo the enlargement's softness and add the fine grain of skin that it lacks."""
    soft = gaussian_filter(image, (1.6, 1.6, 0))
    grain = np.random.default_rng(5).normal(0, 1, image.shape[:2])
    grain = gaussian_filter(grain, 0.7) - gaussian_filter(grain, 2.0)
    return np.clip(image + 0.7 * (image - soft) + 0.02 * grain[..., None], 0, 1)


def _without(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The backdrop: outside the person as it is, inside filled from ever wider surroundings."""
    known = (gaussian_filter(alpha, 6) < 0.01).astype(np.float32)
    plate, weight = photo * known[..., None], known
    for sigma in (4, 8, 16, 32, 64, 128):
        blurred = gaussian_filter(weight, sigma)
        filled = gaussian_filter(plate, (sigma, sigma, 0)) / np.maximum(blurred, 1e-6)[..., None]
        new = (weight < 0.5) & (blurred > 0.02)
        plate = np.where(new[..., None], filled, plate)
        weight = np.where(new, 1, weight)
    seam = gaussian_filter(1 - known, 3)[..., None]
    soft = gaussian_filter(plate, (5, 5, 0))
    return (plate * (1 - seam) + soft * seam).astype(np.float32)
