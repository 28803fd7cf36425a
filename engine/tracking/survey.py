"""What whole frames tell about how a clip was filmed: light, framing, other people, the camera.

Measured while the head is looked for, on frames shrunk for that; judged in quality.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..imaging import corners, fill_polygon, follow_points, resize, to_grey

FACE_POINTS = 468
# A colour this bright in any channel has lost its shade; and this is how dark black is.
BURNT = 250
# The background is followed over this many frames: a pan moves it by more than a pixel.
FOLLOWED_FRAMES = 3
CORNERS, APART, FEWEST = 120, 8.0, 12
# Below this share of the head's box, shoulders and hands may be beside it: no background.
CHIN_LEVEL = 0.72
# Two pictures that differ by this much on average (of 255) are not of one shot.
CUT = 38.0
THUMBNAIL = 32
LINEAR = (np.arange(256) / 255.0) ** 2.2


@dataclass(frozen=True)
class Survey:
    """T frames of one clip, in pixels of the footage."""

    frame_width: int
    frame_height: int
    faces: np.ndarray  # [T, 4] left, top, right, bottom of the face's landmarks, NaN where lost
    light: np.ndarray  # [T, 3] mean linear R, G, B of the face, NaN where lost
    burnt: np.ndarray  # [T] share of the face that is over-exposed, NaN where lost
    second_face: np.ndarray  # [S] width of the next largest face over the largest's, else 0
    drift: np.ndarray  # [D] pixels per frame that the background moves, 1 = the long side
    cuts: np.ndarray  # frames that begin another shot
    blocks: np.ndarray  # [S] steps at the edges of a codec's 8-pixel blocks over those elsewhere

    def __len__(self) -> int:
        return len(self.faces)


class Surveyor:
    """Sees the frames of a clip one by one and remembers numbers."""

    def __init__(self) -> None:
        self._size = (0, 0)
        self._faces: list[np.ndarray] = []
        self._light: list[np.ndarray] = []
        self._burnt: list[float] = []
        self._second: list[float] = []
        self._drift: list[float] = []
        self._cuts: list[int] = []
        self._blocks: list[float] = []
        self._thumbnail: np.ndarray | None = None
        self._before: tuple[int, np.ndarray, np.ndarray] | None = None  # frame, grey, background

    def see(
        self,
        frame: np.ndarray,
        image: np.ndarray,
        points: np.ndarray | None,
        head: np.ndarray,
        faces: np.ndarray | None,
    ) -> None:
        """The next `frame` [H, W, 3], and it shrunk to `image`, in whose pixels are the landmarks
        `points` [478, 3], the box `head` [4], and `faces` [N, 4] where they were counted."""
        index = len(self._faces)
        self._size = (frame.shape[1], frame.shape[0])
        scale = image.shape[1] / frame.shape[1]
        if points is None:
            self._faces.append(np.full(4, np.nan))
            self._light.append(np.full(3, np.nan))
            self._burnt.append(np.nan)
        else:
            outline = points[:FACE_POINTS, :2]
            self._faces.append(np.concatenate([outline.min(0), outline.max(0)]) / scale)
            skin = image[fill_polygon(image.shape[:2], outline)]
            self._light.append(linear_light(skin) if len(skin) else np.full(3, np.nan))
            self._burnt.append(float((skin.max(-1) >= BURNT).mean()) if len(skin) else np.nan)
        if faces is not None:
            self._second.append(second_face(faces))
            self._blocks.append(blockiness(frame))
        self._notice_cut(index, image)
        self._follow_background(index, image, head, faces is not None)

    def survey(self) -> Survey:
        """What was seen."""
        return Survey(
            *self._size,
            np.array(self._faces).reshape(-1, 4),
            np.array(self._light).reshape(-1, 3),
            np.array(self._burnt),
            np.array(self._second),
            np.array(self._drift),
            np.array(self._cuts, int),
            np.array(self._blocks),
        )

    def _notice_cut(self, index: int, image: np.ndarray) -> None:
        now = resize(image, THUMBNAIL, THUMBNAIL).astype(np.float32)
        if self._thumbnail is not None and np.abs(now - self._thumbnail).mean() > CUT:
            self._cuts.append(index)
        self._thumbnail = now

    def _follow_background(
        self, index: int, image: np.ndarray, head: np.ndarray, begin: bool
    ) -> None:
        """Every so often, corners beside the head are looked for again a few frames later."""
        if self._before is not None and index == self._before[0] + FOLLOWED_FRAMES:
            _, grey, points = self._before
            moved = background_motion(grey, to_grey(image), points)
            if moved is not None:
                self._drift.append(moved / FOLLOWED_FRAMES / max(image.shape[:2]))
        if begin and np.isfinite(head).all():
            grey = to_grey(image)
            points = corners(grey, background_mask(grey.shape, head), CORNERS, APART)
            self._before = (index, grey, points)


def linear_light(skin: np.ndarray) -> np.ndarray:
    """Mean linear light [3] of sRGB pixels [N, 3] uint8."""
    return LINEAR[skin].mean(0)


def second_face(faces: np.ndarray) -> float:
    """Width of the second of face boxes [N, 4], largest first, as a share of the first's."""
    sides = faces[:, 2] - faces[:, 0]
    return float(sides[1] / sides[0]) if len(faces) > 1 else 0.0


def background_mask(shape: Sequence[int], head: np.ndarray) -> np.ndarray:
    """Boolean [H, W]: above and beside the head's box [4], and never below the chin."""
    left, top, right, bottom = head
    mask = np.ones(tuple(shape), bool)
    mask[max(int(top), 0) :, max(int(left), 0) : max(int(right), 0)] = False
    mask[max(int(top + CHIN_LEVEL * (bottom - top)), 0) :] = False
    return mask


def background_motion(before: np.ndarray, after: np.ndarray, points: np.ndarray) -> float | None:
    """Median motion in pixels of corners [N, 2] between grey images; None without enough."""
    if len(points) < FEWEST:
        return None
    there, good = follow_points(before, after, points, points)
    if good.sum() < FEWEST:
        return None
    return float(np.linalg.norm(np.median((there - points)[good], axis=0)))


def blockiness(frame: np.ndarray) -> float:
    """Mean step between pixels on the 8-pixel grid of a codec's blocks over that off the grid."""
    grey = to_grey(frame).astype(np.float32)
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(1 - axis)
        on = np.arange(len(steps)) % 8 == 7
        if on.any():
            ratios.append(steps[on].mean() / max(steps[~on].mean(), 0.05))
    return float(np.mean(ratios)) if ratios else 1.0
