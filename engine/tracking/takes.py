"""Takes: continuous stretches of footage of one person, and what is known of each before the solve.

Everything that is smooth in time is so within a take; identity and expression basis span them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..api.head import HeadModel
from .gaze import eyeballs, gaze_angles, look_coefficients, open_share, steady_gaze
from .landmark_model import LandmarkModel
from .pose import Observations, Poses, first_poses
from .solve import facing_weights, rigid_only

# Passes that disagree by this share of the face's height are not to be trusted.
DISAGREEMENT = 0.03
FOREHEAD, CHIN = 10, 152
Gaze = Callable[[LandmarkModel, Poses], np.ndarray]


@dataclass(frozen=True)
class Take:
    """One continuous stretch of footage: T head crops and what the landmarker saw in them."""

    images: np.ndarray  # [T, H, W, 3]
    landmarks: np.ndarray  # [T, 478, 3] pixels, NaN where lost
    disagreement: np.ndarray  # [T] pixels between the landmark passes, infinite where lost
    fps: float


@dataclass(frozen=True)
class Looks:
    """What the eyes of T frames show."""

    points: np.ndarray  # [T, 478, 3] landmarks, lost frames bridged
    opened: np.ndarray  # [T, 2] how open each eye is
    fps: float

    def at(self, index: np.ndarray) -> Looks:
        """Those of some frames."""
        return Looks(self.points[index], self.opened[index], self.fps)

    def angles(self, head: HeadModel, poses: Poses, K: np.ndarray) -> np.ndarray:
        """Yaw and pitch [T, 2, 2] of both eyes in head space, steadied."""
        balls = eyeballs(head)
        seen = gaze_angles(balls, poses, self.points, K)
        return steady_gaze(seen, balls, poses, self.opened, self.fps)

    def gaze_of(self, head: HeadModel, K: np.ndarray) -> Gaze:
        """A function of (model, poses) that gives the eyeLook coefficients [T, E]."""
        return lambda _, poses: look_coefficients(
            self.angles(head, poses, K), head.expression_names
        )


@dataclass(frozen=True)
class Stretch:
    """A take while it is solved: its frames among all, and what was seen in them."""

    frames: slice
    images: np.ndarray  # [T, H, W, 3]
    looks: Looks
    confidence: np.ndarray  # [T]
    seen: Observations

    @property
    def fps(self) -> float:
        return self.looks.fps


def stretches(model: LandmarkModel, takes: Sequence[Take], K: np.ndarray) -> list[Stretch]:
    """The takes, one after the other, ready to be solved."""
    result, first = [], 0
    for take in takes:
        confidence = _confidence(take.landmarks, take.disagreement)
        points = bridge_lost(take.landmarks)
        frames = slice(first, first + len(points))
        looks = Looks(points, open_share(points), take.fps)
        seen = _observe(model, points, confidence, K)
        result.append(Stretch(frames, take.images, looks, confidence, seen))
        first = frames.stop
    return result


def all_looks(parts: Sequence[Stretch]) -> Looks:
    """The eyes of all stretches, for frames that are no neighbours."""
    points = np.concatenate([part.looks.points for part in parts])
    return Looks(points, np.concatenate([part.looks.opened for part in parts]), parts[0].fps)


def all_seen(parts: Sequence[Stretch]) -> Observations:
    """The observations of all stretches, which share a camera."""
    pixels, depths, weights = (
        np.concatenate([getattr(part.seen, name) for part in parts])
        for name in ("pixels", "depths", "weights")
    )
    return Observations(pixels, depths, weights, parts[0].seen.K)


def _observe(
    model: LandmarkModel, points: np.ndarray, confidence: np.ndarray, K: np.ndarray
) -> Observations:
    """Observations of the model's landmarks, the far side of the face down-weighted."""
    chosen = points[:, model.index].astype(np.float64)
    weights = confidence[:, None] * model.weights
    seen = Observations(chosen[..., :2], chosen[..., 2], weights, K)
    poses = first_poses(model.neutral, rigid_only(seen, model))
    return seen._replace(weights=weights * facing_weights(model, poses))


def _confidence(landmarks: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
    """0 where lost, near 1 where the landmark passes agree."""
    found = np.isfinite(disagreement)
    tall = np.linalg.norm(landmarks[:, FOREHEAD, :2] - landmarks[:, CHIN, :2], axis=-1)
    share = np.where(found, disagreement, 0) / np.where(found, tall, 1)
    return np.where(found, 1 / (1 + (share / DISAGREEMENT) ** 2), 0.0)


def bridge_lost(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks [T, 478, 3] with lost frames interpolated in time, held at the ends."""
    found = np.nonzero(np.isfinite(landmarks[:, 0, 0]))[0]
    frames = np.arange(len(landmarks))
    after = np.minimum(np.searchsorted(found, frames), len(found) - 1)
    before = np.where(found[after] == frames, after, np.maximum(after - 1, 0))
    before = np.where(frames > found[-1], len(found) - 1, before)
    a, b = found[before], found[after]
    share = (np.clip(frames - a, 0, None) / np.maximum(b - a, 1)).clip(0, 1)[:, None, None]
    return landmarks[a] * (1 - share) + landmarks[b] * share
