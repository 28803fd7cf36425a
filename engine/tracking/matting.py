"""Mattes: selfie mask -> trimap -> closed-form matting -> steadied in time -> foreground colour.

Constants were measured on a chroma key (facts/tracking.md 2).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..imaging import (
    box_blur,
    connected_component,
    dilate,
    erode,
    fill_polygon,
    interleaved,
    planes,
    resize,
)
from .background import Evidence
from .closed_form import closed_form_alpha
from .in_order import in_order

# Half width of the unknown band, in pixels of a 512 px crop; wider goes wrong on busy walls.
BAND = 6
# Strands and gaps are looked for within this distance of the mask's edge, likewise.
REACH = 40
# Probabilities that the mask is not sure of.
UNSURE = (0.03, 0.97)
# How far known colours reach into the band, in pixels of a 512 px crop.
FAR_RADIUS = 40
# Alpha changes well below this between frames are flicker, not motion.
FLICKER = 0.3


def trimap(mask: np.ndarray, face: np.ndarray, found: Evidence | None = None) -> np.ndarray:
    """Trimap [H, W] float: 1 person, 0 not, 0.5 unknown.

    `mask` [H, W] is the person's probability; `face` [N, 2] landmarks in pixels: only what hangs
    together with the face is the person. With what the background says, strands that the mask has
    lost are unknown again, and gaps that it has closed are open.
    """
    radius = max(2, round(BAND * len(mask) / 512))
    seed = fill_polygon(mask.shape, face)
    person = connected_component((mask > 0.5) | seed, seed)
    face_inside = erode(seed, radius)
    result = np.full(mask.shape, 0.5)
    result[~dilate(person, radius)] = 0
    result[erode(person, radius)] = 1
    if found is not None:
        _refine(result, mask, person, found)
    result[face_inside] = 1
    return result


def _refine(result: np.ndarray, mask: np.ndarray, person: np.ndarray, found: Evidence) -> None:
    """Open the trimap where the background gives a person away, and close it where it shows."""
    near = box_blur(person.astype(np.float32), round(REACH * len(mask) / 512))
    edge = (near > 0) & (near < 1)
    unsure = (mask > UNSURE[0]) & (mask < UNSURE[1]) & found.speaks
    hanging = connected_component(((found.other | unsure) & edge) | person, person)
    result[dilate(hanging & (unsure | ~person), 2)] = 0.5
    wall = found.wall & edge
    result[dilate(erode(wall, 1), 1) & (result == 1)] = 0.5
    result[erode(wall, 2)] = 0


class Problem(NamedTuple):
    """What is to be solved for one image."""

    known: np.ndarray  # [H, W] trimap, 0.5 where unknown
    share: np.ndarray | None = None  # [H, W] alpha as colour alone has it, NaN where it cannot tell


def matting_problem(mask: np.ndarray, face: np.ndarray, found: Evidence) -> Problem:
    """Trimap of a frame and, outside the mask, alpha as the background's colour has it."""
    known = trimap(mask, face, found)
    telling = found.other & (mask < 0.5) & (known == 0.5)
    return Problem(known, np.where(telling, found.share, np.nan))


def foreground(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Straight foreground colour [H, W, 3] uint8, so that edges keep no background.

    Two rounds of blur fusion (Forte 2021): local means of both sides explain each mixed pixel. The
    first reaches far, and is smooth enough for a quarter of the resolution.
    """
    height, width = alpha.shape
    small = (max(width // 4, 1), max(height // 4, 1))
    reach = max(1, FAR_RADIUS * width // 2048)
    a = alpha.astype(np.float32)
    coarse_alpha = resize(a, *small)
    colors = []
    for plane in planes(image):
        picture = plane.astype(np.float32)
        coarse = resize(picture, *small)
        far_ahead, far_behind = (
            resize(side, width, height)
            for side in _fuse(coarse, coarse_alpha, coarse, coarse, reach)
        )
        ahead, _ = _fuse(picture, a, far_ahead, far_behind, 5)
        colors.append(np.where(a >= 1, picture, ahead).round().astype(np.uint8))
    return interleaved(colors)


def _fuse(
    picture: np.ndarray, alpha: np.ndarray, ahead: np.ndarray, behind: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray]:
    """One round on a channel [H, W]: both sides' local means, and what they leave unexplained."""
    blurred, rest_alpha = box_blur(alpha, radius), 1 - alpha
    mean_ahead = box_blur(ahead * alpha, radius) / (blurred + 1e-4)
    mean_behind = box_blur(behind * rest_alpha, radius) / (1 - blurred + 1e-4)
    rest = picture - alpha * mean_ahead - rest_alpha * mean_behind
    return (
        np.clip(mean_ahead + alpha * rest, 0, 255),
        np.clip(mean_behind + rest_alpha * rest, 0, 255),
    )


def steady(alphas: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Alphas smoothed over three frames, which halves closed form's flicker at no loss of edge."""
    window: deque[np.ndarray] = deque(maxlen=3)
    for alpha in alphas:
        if not window:
            window.append(alpha)
        window.append(alpha)
        if len(window) == 3:
            yield _middle(window)
    if window:
        window.append(window[-1])
        yield _middle(window)


def _middle(window: Iterable[np.ndarray]) -> np.ndarray:
    before, now, after = window
    total, weights = now.copy(), np.ones_like(now)
    for other in (before, after):
        # Flicker is a small change; a large one is an edge that moved, and blending it is a ghost.
        weight = 0.5 * np.exp(-(((other - now) / FLICKER) ** 2))
        total += weight * other
        weights += weight
    return total / weights


def mattes(images: Iterable[np.ndarray], problems: Iterable[Problem]) -> Iterator[np.ndarray]:
    """Alpha [H, W] float32 of each image, in order, a few at a time on several threads."""
    pairs = zip(images, problems, strict=False)
    return in_order(lambda pair: closed_form_alpha(pair[0], *pair[1]), pairs)
