"""Corners seen in two frames each, pinned on a surface that moves before the camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .pose import Poses, cross_matrix, project

GRAZING = 0.1
"""Cosine between a line of sight and a triangle's normal below which it counts as this."""


class Tracks(NamedTuple):
    """N of them."""

    first: np.ndarray  # [N] frame
    second: np.ndarray  # [N] frame
    corners: np.ndarray  # [N, 3] vertices of the triangle that carries the corner
    start: np.ndarray  # [N, 2] pixels in the first frame
    end: np.ndarray  # [N, 2] pixels in the second

    @staticmethod
    def none() -> Tracks:
        """No tracks at all."""
        frame, pixels = np.zeros(0, int), np.zeros((0, 2))
        return Tracks(frame, frame, np.zeros((0, 3), int), pixels, pixels)

    def at(self, index: np.ndarray) -> Tracks:
        """Some of the tracks."""
        return Tracks(*(field[index] for field in self))


def attach(
    points: np.ndarray, pixels: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Triangle [N] (-1 for none) and barycentrics [N, 3] of image points [N, 2]."""
    share = barycentrics(points[:, None], pixels[triangles][None])
    inside = (share >= -1e-6).all(-1)
    which = np.where(inside.any(-1), inside.argmax(-1), -1)
    return which, share[np.arange(len(points)), which]


def barycentrics(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Barycentrics [..., 3] of points [..., 2] in triangles [..., 3, 2]."""
    a, b = triangles[..., 1, :] - triangles[..., 0, :], triangles[..., 2, :] - triangles[..., 0, :]
    p = points - triangles[..., 0, :]
    area = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    u = (p[..., 0] * b[..., 1] - p[..., 1] * b[..., 0]) / area
    v = (a[..., 0] * p[..., 1] - a[..., 1] * p[..., 0]) / area
    return np.stack([1 - u - v, u, v], -1)


def carry_tracks(
    tracks: Tracks, shaped: np.ndarray, poses: Poses, K: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Camera points [N, 3] in the first and second frame, and the pixel error [N, 2] in the second.

    The corner is pinned on the head where the first frame shows it, and carried by the second pose.
    """
    pinned = shaped[tracks.first[:, None], tracks.corners]
    camera = _pose(pinned, poses, tracks.first)
    share = barycentrics(tracks.start, project(camera, K))[..., None]
    carried = (shaped[tracks.second[:, None], tracks.corners] * share).sum(1)[:, None]
    there = _pose(carried, poses, tracks.second)[:, 0]
    return (camera * share).sum(1), there, project(there, K) - tracks.end


def track_jacobians(
    tracks: Tracks, shaped: np.ndarray, poses: Poses, centre: np.ndarray, focal: float,
    here: np.ndarray, there: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What a change of the first frame's pose takes from the error and one of the second's adds to
    it, both [N, 2, 6]: a rotation about `centre` [T, 3] of each frame, then a translation.

    In the first frame the corner stays on its pixel's ray and slides over its triangle, which the
    second frame sees from its own side. `here` and `there` are carry_tracks'.
    """
    camera = _pose(shaped[tracks.first[:, None], tracks.corners], poses, tracks.first)
    normal = np.cross(camera[:, 1] - camera[:, 0], camera[:, 2] - camera[:, 0])
    steep = (normal * here).sum(-1)
    least = GRAZING * np.linalg.norm(normal, axis=-1) * np.linalg.norm(here, axis=-1)
    steep = np.where(np.abs(steep) < least, np.copysign(least, steep), steep)
    shift = shifts(here - centre[tracks.first])
    slid = shift - here[..., None] * ((normal[:, None] @ shift) / steep[:, None, None])
    turn = poses.rotation[tracks.second] @ np.swapaxes(poses.rotation[tracks.first], -1, -2)
    rows = pixel_rows(there, focal)
    return rows @ turn @ slid, rows @ shifts(there - centre[tracks.second])


def shifts(arms: np.ndarray) -> np.ndarray:
    """d points / d (rotation, translation) [N, 3, 6] for points at `arms` [N, 3] of the centre."""
    still = np.broadcast_to(np.eye(3), (len(arms), 3, 3))
    return np.concatenate([-cross_matrix(arms), still], -1)


def pixel_rows(points: np.ndarray, focal: float) -> np.ndarray:
    """d pixels / d camera points [N, 3], [N, 2, 3]."""
    z = points[:, 2:]
    rows = np.zeros((len(points), 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = focal / z[:, 0]
    rows[:, :, 2] = -focal * points[:, :2] / z**2
    return rows


def _pose(points: np.ndarray, poses: Poses, frames: np.ndarray) -> np.ndarray:
    turned = points @ np.swapaxes(poses.rotation[frames], -1, -2)
    return turned + poses.translation[frames][:, None]
