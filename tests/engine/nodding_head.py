"""A head that moves before a camera, for tests against closed forms."""

from __future__ import annotations

import numpy as np

from engine.api.rotations import matrix_from_rotvec
from engine.tracking.flow import rigid_triangles
from engine.tracking.landmark_model import LandmarkModel
from engine.tracking.pose import VIEWMAT, Observations, Poses, project
from engine.tracking.tracks import Tracks, barycentrics

K = np.array([[1300.0, 0, 250], [0, 1300.0, 240], [0, 0, 1]])


def nodding(frames: int) -> Poses:
    """A head that turns and nods before the camera, 0.9 m away, seen upright."""
    time = np.linspace(0, 2 * np.pi, frames)
    turn = np.stack([0.2 * np.sin(2 * time), 0.4 * np.sin(time), 0.1 * np.cos(time)], -1)
    place = np.stack([0.02 * np.cos(time), 0.01 * np.sin(time), 0.9 + 0.03 * np.sin(time)], -1)
    return Poses(VIEWMAT[:3, :3] @ matrix_from_rotvec(turn), place)


def observe(points: np.ndarray) -> Observations:
    """Perfect landmarks of camera-space points, with weak-perspective depth."""
    middle = points[..., 2].mean(-1, keepdims=True)
    depths = (points[..., 2] - middle) * K[0, 0] / middle
    return Observations(project(points, K), depths, np.ones(points.shape[:2]), K)


def perfect_tracks(model: LandmarkModel, truth: Poses) -> Tracks:
    """The middles of rigid triangles on a neutral head, followed over 20 frames."""
    triangles = rigid_triangles(model)
    pixels = project(truth.apply(model.neutral), K)
    middle = pixels[:, triangles].mean(2)
    parts = []
    for span in (1, 3, 8):
        first = np.repeat(np.arange(20 - span), len(triangles))
        carriers = np.tile(triangles, (20 - span, 1))
        start = middle[:-span].reshape(-1, 2)
        # The middle of a triangle in the image is not the image of its middle.
        share = barycentrics(start, pixels[first[:, None], carriers])[..., None]
        end = (truth.apply(model.neutral)[first[:, None] + span, carriers] * share).sum(1)
        parts.append((first, first + span, carriers, start, project(end, K)))
    return Tracks(*(np.concatenate(part) for part in zip(*parts, strict=True)))
