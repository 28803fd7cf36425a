"""What lies behind the person: a plate of the static camera's view, and how far a frame differs.

The plate is the median of what each pixel shows while nobody is there. Where somebody always is, it
is continued from around, with the variance found there: a plain wall goes on, a shelf does not. A
background that moves, or a camera that does, has a large `sigma`, and then says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..imaging import box_blur, dilate, planes, resize

# Frames that the plate is made of, spread over the clip.
PLATE_FRAMES = 40
# Standard deviation of a phone's compressed video on a flat wall, in levels of 255.
NOISE = 3.0
# The plate says something where its own uncertainty is below this, in levels.
STEADY = 9.0
# A pixel this many sigmas off is something else, and this few is the wall itself.
OTHER, SAME = 4.0, 2.0
# Person and wall are told apart by colour where they differ by this many sigmas.
APART = 6.0


class Background(NamedTuple):
    """The view without the person, of the head crop."""

    color: np.ndarray  # [H, W, 3] float32, levels
    sigma: np.ndarray  # [H, W] float32 standard deviation, levels


class Evidence(NamedTuple):
    """What a frame's difference from the background says."""

    other: np.ndarray  # [H, W] bool: surely not the background
    wall: np.ndarray  # [H, W] bool: surely the background
    speaks: np.ndarray  # [H, W] bool: the background is known well enough to say anything
    share: np.ndarray  # [H, W] float32: how far from the background's colour to the person's, 0..1


def plate_frames(count: int) -> np.ndarray:
    """Which of a clip's frames the plate is made of."""
    return np.unique(np.linspace(0, count - 1, min(PLATE_FRAMES, count)).round().astype(int))


def background(images: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> Background:
    """The background of images [H, W, 3] uint8 with their masks [H, W] of the person, 0..1."""
    pairs = list(_behind(images, masks))
    stack = np.stack([image for image, _ in pairs])
    absent = np.stack([behind for _, behind in pairs])
    count = absent.sum(0)
    middle = _masked_median(stack, absent, count)
    spread = np.abs(stack.astype(np.int16) - middle).max(-1).astype(np.uint8)
    # 1.48 makes the median deviation a standard deviation; the largest channel stands for all.
    sigma = 1.48 * _masked_median(spread[..., None], absent, count)[..., 0]
    # Loose hair that hangs in one place and trembles is no background, though no mask saw it.
    seen = (count > 0) & (sigma < STEADY)
    return _continued(middle.astype(np.float32), sigma.astype(np.float32), seen)


def _behind(
    images: Iterable[np.ndarray], masks: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for image, mask in zip(images, masks, strict=True):
        yield image, ~dilate(mask > 0.1, max(2, len(mask) // 64))


def _masked_median(stack: np.ndarray, valid: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Median [H, W, C] over those of stack [T, H, W, C] uint8 that are valid [T, H, W]."""
    ordered = np.sort(np.where(valid[..., None], stack, 255), axis=0)
    rank = np.maximum(count - 1, 0) // 2
    return np.take_along_axis(ordered, rank[None, ..., None], axis=0)[0].astype(np.int16)


def _continued(color: np.ndarray, sigma: np.ndarray, seen: np.ndarray) -> Background:
    """Fill what was never seen with means of ever wider surroundings, and their deviation."""
    color, sigma = color.copy(), np.hypot(sigma, NOISE).astype(np.float32)
    weight = seen.astype(np.float32)
    weighted, squared = color * weight[..., None], color**2 * weight[..., None]
    todo, radius = ~seen, max(2, len(seen) // 128)
    while todo.any() and radius < len(seen) // 2:
        share = box_blur(weight, radius)
        new = todo & (share > 0.2)
        mean = box_blur(weighted, radius)[new] / share[new, None]
        variance = box_blur(squared, radius)[new] / share[new, None] - mean**2
        color[new] = mean
        sigma[new] = np.sqrt(NOISE**2 + np.maximum(variance.mean(-1), 0) + (radius / 8) ** 2)
        todo &= ~new
        radius *= 2
    sigma[todo] = 255
    return Background(color, sigma)


def evidence(image: np.ndarray, mask: np.ndarray, behind: Background) -> Evidence:
    """Compare an image [H, W, 3] uint8 with the background; `mask` [H, W] is the person's, 0..1."""
    scale = len(mask) / 512
    absent = (box_blur((mask > 0.1).astype(np.float32), round(12 * scale)) == 0).astype(np.float32)
    inside = (box_blur((mask < 0.9).astype(np.float32), round(6 * scale)) == 0).astype(np.float32)
    off_squared, length_squared, along = (np.zeros_like(behind.sigma) for _ in range(3))
    for plane, wall in zip(planes(image), planes(behind.color), strict=True):
        picture = plane.astype(np.float32)
        # Exposure and cast shadows change smoothly: what changed nearby has changed here.
        expected = wall + _spread(picture - wall, absent, 24)
        towards = _spread(picture, inside, 48) - expected
        off = picture - expected
        off_squared += box_blur(off, 1) ** 2
        length_squared += towards**2
        along += off * towards
    difference, apart = np.sqrt(off_squared / 3), np.sqrt(length_squared / 3)
    steady = behind.sigma < STEADY
    return Evidence(
        steady & (difference > OTHER * behind.sigma),
        steady & (apart > APART * behind.sigma) & (difference < SAME * behind.sigma),
        steady,
        np.clip(along / np.maximum(length_squared, 1), 0, 1),
    )


def _spread(values: np.ndarray, weight: np.ndarray, radius: int) -> np.ndarray:
    """Weighted local means [H, W] within `radius` pixels of 512, 0 where there is no weight.

    They are smooth, so a quarter of the resolution will do.
    """
    height, width = weight.shape
    small = (max(width // 4, 1), max(height // 4, 1))
    reach = max(1, radius * height // 2048)
    share = box_blur(resize(weight, *small), reach)
    total = box_blur(resize(values * weight, *small), reach)
    return resize(total / (share + 0.01), width, height)
