"""Corners found again all over a clip: a few keyframes compared with every frame like them.

Flow from frame to frame drifts, and landmarks are off by what the pose and the expression make of
them. A corner of a keyframe that is found again a minute later is the same spot of skin or cloth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ..imaging import corners, follow_points, to_grey, warp
from .in_order import in_order
from .tracks import Tracks, attach

KEYFRAMES, NEAREST = 14, 2
CORNERS, APART = 80, 6.0  # per keyframe, pixels
FAR = 30.0  # pixels from where the poses expect it: something else


class Keyframes(NamedTuple):
    """Frames that the others are compared with."""

    frames: np.ndarray  # [K]
    near: np.ndarray  # [T, NEAREST] for every frame those of them that are most like it


class Marks(NamedTuple):
    """What one keyframe shows."""

    grey: np.ndarray  # [H, W]
    points: np.ndarray  # [N, 2] pixels
    carriers: np.ndarray  # [N, 3] vertices of each one's triangle
    used: np.ndarray  # [U] vertices of the surface that is seen


def choose_keyframes(likeness: np.ndarray, sure: np.ndarray) -> Keyframes:
    """Keyframes as unlike each other as can be (farthest point sampling) among those `sure` [T];
    frames are alike by the distance of their `likeness` [T, D]."""
    candidates = np.flatnonzero(sure)
    known = likeness[candidates]
    chosen = [int(np.argmin(((known - np.median(known, axis=0)) ** 2).sum(-1)))]
    apart = np.full(len(known), np.inf)
    while len(chosen) < min(KEYFRAMES, len(known)):
        apart = np.minimum(apart, ((known - known[chosen[-1]]) ** 2).sum(-1))
        chosen.append(int(apart.argmax()))
    frames = candidates[np.sort(chosen)]
    distance = ((likeness[:, None] - likeness[frames]) ** 2).sum(-1)
    return Keyframes(frames, frames[np.argsort(distance, axis=1)[:, :NEAREST]])


def find_far_tracks(
    images: np.ndarray,
    keys: Keyframes,
    pixels: np.ndarray,
    shown: Mapping[int, tuple[np.ndarray, np.ndarray]],
    advance: Callable[[float], None],
) -> Tracks:
    """The corners of each keyframe in every frame that it is compared with.

    `images` [T, H, W, 3]; `pixels` [T, V, 2] of a surface's vertices guide the search; `shown`
    gives each keyframe's triangles [N, 3] that may carry corners, and a mask [H, W] of where to
    look for them.
    """
    marks = {int(k): _marks(images[k], pixels[k], *shown[int(k)]) for k in keys.frames}

    def find(t: int) -> list[Tracks]:
        grey = to_grey(images[t])
        near = [int(k) for k in keys.near[t] if k != t and len(marks[int(k)].points)]
        return [_found_again(marks[k], k, grey, t, pixels) for k in near]

    found = [Tracks.none()]
    for t, tracks in enumerate(in_order(find, range(len(images)))):
        found += tracks
        advance((t + 1) / len(images))
    return Tracks(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _marks(image: np.ndarray, pixels: np.ndarray, triangles: np.ndarray, mask: np.ndarray) -> Marks:
    grey = to_grey(image)
    points = corners(grey, mask, CORNERS, APART)
    if not len(triangles):
        points = points[:0]
    which = np.full(len(points), -1)
    if len(points):
        which, _ = attach(points, pixels, triangles)
    return Marks(grey, points[which >= 0], triangles[which[which >= 0]], np.unique(triangles))


def _found_again(marks: Marks, k: int, grey: np.ndarray, t: int, pixels: np.ndarray) -> Tracks:
    """A keyframe's corners in frame `t`. The keyframe is first turned, scaled and sheared to look
    as the surface does in `t`, since Lucas-Kanade only shifts."""
    ones = np.ones((len(marks.used), 1))
    there = np.concatenate([pixels[t][marks.used], ones], 1)
    back = np.eye(3)  # from pixels of t to the keyframe's
    back[:2] = np.linalg.lstsq(there, pixels[k][marks.used], rcond=None)[0].T
    ahead = np.linalg.inv(back)
    guess = marks.points @ ahead[:2, :2].T + ahead[:2, 2]
    low = np.clip(guess.min(0) - FAR, 0, len(grey) - 1).astype(int)
    high = np.clip(guess.max(0) + FAR, low + 1, len(grey)).astype(int)
    window = grey[low[1] : high[1], low[0] : high[0]]
    shift = np.eye(3)
    shift[:2, 2] = low
    turned = warp(marks.grey, back @ shift, (window.shape[1], window.shape[0]))
    end, good = follow_points(turned, window, guess - low, guess - low)
    end = end + low
    good &= np.linalg.norm(end - guess, axis=-1) < FAR
    count = len(guess)
    first, second = np.full(count, k), np.full(count, t)
    return Tracks(first, second, marks.carriers, marks.points, end).at(good)
