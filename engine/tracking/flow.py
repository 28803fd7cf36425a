"""Sharper poses from the footage itself: a bundle over sparse optical flow on rigid skin.

Landmarks wander by a pixel or two against the skin; texture does not. Corners on parts of the face
that no expression moves are followed over a few spans of frames, and all poses are solved at
once so that the head carries each corner from frame to frame. Landmarks keep a weak hold,
because flow knows only differences. (facts/tracking.md 3: 19 to 40 % less error over five frames.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial import Delaunay

from ..api.rotations import matrix_from_rotvec
from ..heads.landmarks import FACE_OVAL
from ..imaging import corners, fill_triangles, follow_points, to_grey
from .landmark_model import LandmarkModel
from .pose import Observations, Poses, cross_matrix, equations, project, robust

SPANS = (1, 3, 8)  # frames
CORNERS, APART = 70, 6.0  # per frame, pixels
RIGID = 0.45  # landmarks steadier than this carry corners
FAR = 12.0  # pixels from where the landmarks expect it: another corner
ROUNDS = 4
# Weight of a rigid landmark against a flow track: enough to hold what drifts over the clip.
LANDMARK_HOLD = 0.01


class Tracks(NamedTuple):
    """N corners seen in two frames each."""

    first: np.ndarray  # [N] frame
    second: np.ndarray  # [N] frame
    corners: np.ndarray  # [N, 3] landmark points of the triangle that carries the corner
    start: np.ndarray  # [N, 2] pixels in the first frame
    end: np.ndarray  # [N, 2] pixels in the second

    def at(self, index: np.ndarray) -> Tracks:
        """Some of the tracks."""
        return Tracks(*(field[index] for field in self))


def refine_by_flow(
    images: np.ndarray,
    model: LandmarkModel,
    poses: Poses,
    expression: np.ndarray,
    seen: Observations,
    advance: Callable[[float], None],
) -> Poses:
    """Poses that carry skin texture from frame to frame. `images` [T, H, W, 3], consecutive."""
    shaped = model.shaped(expression)
    tracks = find_tracks(images, model, project(poses.apply(shaped), seen.K), advance)
    for _ in range(ROUNDS):
        poses = _step(tracks, shaped, poses, seen)
    return poses


def find_tracks(
    images: np.ndarray, model: LandmarkModel, pixels: np.ndarray, advance: Callable[[float], None]
) -> Tracks:
    """Corners on rigid skin followed over SPANS; `pixels` [T, M, 2] guide the search."""
    triangles = rigid_triangles(model)
    grey: dict[int, np.ndarray] = {}  # only the frames within reach
    found: list[Tracks] = []
    for t in range(len(images)):
        for ahead in range(max(grey, default=-1) + 1, min(t + max(SPANS) + 1, len(images))):
            grey[ahead] = to_grey(np.ascontiguousarray(images[ahead]))
        image = grey[t]
        mask = fill_triangles(image.shape, pixels[t][triangles])
        points = corners(image, mask, CORNERS, APART)
        which, share = attach(points, pixels[t], triangles)
        points, which, share = points[which >= 0], which[which >= 0], share[which >= 0]
        for span in SPANS:
            if t + span >= len(images) or not len(points):
                continue
            carriers = triangles[which]
            guess = np.einsum("nk,nkc->nc", share, pixels[t + span][carriers])
            end, good = follow_points(image, grey[t + span], points, guess)
            good &= np.linalg.norm(end - guess, axis=-1) < FAR
            frame = np.full(len(points), t)
            found.append(Tracks(frame, frame + span, carriers, points, end).at(good))
        del grey[t]
        advance((t + 1) / len(images))
    return Tracks(*(np.concatenate(part) for part in zip(*found, strict=True)))


def rigid_triangles(model: LandmarkModel) -> np.ndarray:
    """Triangles [N, 3] over landmark points that no expression moves much."""
    steady = (model.rigidity > RIGID) & ~np.isin(model.index, FACE_OVAL)
    front = Delaunay(model.neutral[:, :2]).simplices
    return front[steady[front].all(-1)]


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


def _pose(points: np.ndarray, poses: Poses, frames: np.ndarray) -> np.ndarray:
    turned = points @ np.swapaxes(poses.rotation[frames], -1, -2)
    return turned + poses.translation[frames][:, None]


def _step(tracks: Tracks, shaped: np.ndarray, poses: Poses, seen: Observations) -> Poses:
    """One Gauss-Newton step of all poses: a block-banded system, 6 unknowns per frame."""
    count = len(shaped)
    here, there, error = carry_tracks(tracks, shaped, poses, seen.K)
    weight = 1 / (1 + (error**2).sum(-1)) ** 2  # Geman-McClure at one pixel: blur, hair, glasses
    j_here = _pixel_jacobian(here, poses.translation[tracks.first], seen.K[0, 0])
    j_there = _pixel_jacobian(there, poses.translation[tracks.second], seen.K[0, 0])
    # A change of the first pose moves the pin, which the second frame sees as its negative.
    band = np.zeros((max(SPANS) + 1, count, 6, 6))
    right = np.zeros((count, 6))
    weighted_here, weighted_there = (j * weight[:, None, None] for j in (j_here, j_there))
    for frames, j, w, sign in (
        (tracks.first, j_here, weighted_here, 1.0),
        (tracks.second, j_there, weighted_there, -1.0),
    ):
        np.add.at(band[0], frames, np.swapaxes(w, -1, -2) @ j)
        np.add.at(right, frames, sign * np.einsum("nik,ni->nk", w, error))
    for span in SPANS:
        chosen = tracks.second - tracks.first == span
        block = -np.swapaxes(weighted_there[chosen], -1, -2) @ j_here[chosen]
        np.add.at(band[span], tracks.first[chosen], block)  # rows: second, columns: first
    hold, pull = _landmark_hold(shaped, poses, seen)
    band[0] += hold
    right += pull
    step = solveh_banded(_lower_band(band), right.ravel(), lower=True).reshape(count, 6)
    return Poses(matrix_from_rotvec(step[:, :3]) @ poses.rotation, poses.translation + step[:, 3:])


def _pixel_jacobian(points: np.ndarray, centre: np.ndarray, focal: float) -> np.ndarray:
    """d pixels / d (rotation about the head's origin, translation) [N, 2, 6]."""
    z = points[:, 2:]
    rows = np.zeros((len(points), 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = focal / z[:, 0]
    rows[:, :, 2] = -focal * points[:, :2] / z**2
    return np.concatenate([rows @ -cross_matrix(points - centre), rows], -1)


def _landmark_hold(
    shaped: np.ndarray, poses: Poses, seen: Observations
) -> tuple[np.ndarray, np.ndarray]:
    """Normal blocks [T, 6, 6] and right sides [T, 6] of the weakly weighted landmarks."""
    turned = shaped @ np.swapaxes(poses.rotation, -1, -2)
    camera = turned + poses.translation[:, None]
    rows, right = equations(camera, seen)
    residual = right - np.einsum("tmij,tmj->tmi", rows, camera)
    jacobian = np.concatenate([rows @ -cross_matrix(turned), rows], -1)
    jacobian[..., 2, :] -= jacobian[..., 2, :].mean(1, keepdims=True)
    weighted = jacobian * (LANDMARK_HOLD * seen.weights * robust(residual))[..., None, None]
    return (
        np.einsum("tmik,tmil->tkl", weighted, jacobian, optimize=True),
        np.einsum("tmik,tmi->tk", weighted, residual, optimize=True),
    )


def _lower_band(blocks: np.ndarray) -> np.ndarray:
    """LAPACK's lower banded form of block diagonals [S, T, 6, 6]: block [s, t] at row t + s."""
    spans, count = blocks.shape[:2]
    banded = np.zeros((6 * spans, 6 * count))
    for span in range(spans):
        for i in range(6):
            for j in range(6):
                offset = 6 * span + i - j
                if offset >= 0:
                    banded[offset, j::6] += blocks[span, :, i, j]
    return banded
