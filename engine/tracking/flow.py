"""Sharper poses from the footage itself: a bundle over sparse optical flow on rigid skin.

Landmarks wander by a pixel or two against the skin; texture does not. Corners on parts of the face
that no expression moves are followed over a few spans of frames, and all poses are solved at
once so that the head carries each corner from frame to frame, and from keyframes to all frames
like them, so that nothing drifts. Landmarks keep a weak hold, because flow knows only differences.
(facts/tracking.md 3: 19 to 40 % less error over five frames.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.spatial import Delaunay

from ..api.rotations import matrix_from_rotvec
from ..heads.landmarks import FACE_OVAL
from ..imaging import corners, fill_triangles, follow_points, to_grey
from .bundle import Normal, normal_of_tracks, solved
from .in_order import in_order
from .keyframes import choose_keyframes, find_far_tracks
from .landmark_model import LandmarkModel
from .pose import Observations, Poses, cross_matrix, equations, project, robust, world_turns
from .steady import steadied
from .tracks import Tracks, attach, carry_tracks, track_jacobians

SPANS = (1, 3, 8)  # frames
CORNERS, APART = 70, 6.0  # per frame, pixels
RIGID = 0.45  # landmarks steadier than this carry corners
FAR = 12.0  # pixels from where the landmarks expect it: another corner
# Corners that are off by this many pixels count a quarter. First many are: landmarks tell a turn to
# the side too short by 20 degrees, and all frames of the turn have to move together.
SOFT = (8.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.0, 1.0)
SETTLED = (1.0, 1.0)
# Frames are alike when the head is turned alike and in the same place; and keyframes have landmarks
# at least this share as sure as usual.
METRES_PER_DEGREE, SURE = 0.01, 0.7
# Weight of a rigid landmark against a flow track: enough to hold what drifts over the clip. It
# falls to a small share between two cosines of the head's turn, for MediaPipe draws the nose of a
# head seen from the side too short, and its chin and cheeks elsewhere.
LANDMARK_HOLD = 0.01
STRAIGHT, TURNED, LEAST = 0.92, 0.7, 0.03


def refine_by_flow(
    images: np.ndarray,
    model: LandmarkModel,
    poses: Poses,
    expression: np.ndarray,
    seen: Observations,
    advance: Callable[[float], None],
) -> tuple[Poses, Tracks]:
    """Poses that carry skin texture from frame to frame, and what they carry. `images`
    [T, H, W, 3], consecutive."""
    pixels = project(poses.apply(model.skin(expression)), seen.K)
    near = find_tracks(images, model, pixels, lambda share: advance(0.5 * share))
    far = _far_tracks(images, model, poses, pixels, seen, lambda share: advance(0.5 + 0.5 * share))
    tracks = Tracks(*(np.concatenate(both) for both in zip(near, far, strict=True)))
    return carried_poses(tracks, model, poses, expression, seen, SOFT), tracks


def carried_poses(
    tracks: Tracks,
    model: LandmarkModel,
    poses: Poses,
    expression: np.ndarray,
    seen: Observations,
    softnesses: Sequence[float] = SETTLED,
) -> Poses:
    """Poses that carry the corners of `tracks`, from poses nearby; `expression` [T, E] is held."""
    skin, marks = model.skin(expression), model.shaped(expression)
    rigid = model.neutral[model.rigidity > RIGID]
    for soft in softnesses:
        normal = _track_equations(tracks, skin, poses, seen.K, soft)
        hold, pull = _landmark_hold(marks, poses, seen)
        normal = normal._replace(diagonal=normal.diagonal + hold, right=normal.right + pull)
        step = solved(steadied(normal, rigid, poses, seen.K))
        turned = matrix_from_rotvec(step[:, :3]) @ poses.rotation
        poses = Poses(turned, poses.translation + step[:, 3:])
    return poses


def find_tracks(
    images: np.ndarray, model: LandmarkModel, pixels: np.ndarray, advance: Callable[[float], None]
) -> Tracks:
    """Corners on rigid skin followed over SPANS; `pixels` [T, M, 2] guide the search."""
    triangles = rigid_triangles(model)
    found = [Tracks.none()]
    follow = partial(_follow, images, triangles, pixels)
    for t, tracks in enumerate(in_order(follow, range(len(images)))):
        found += tracks
        advance((t + 1) / len(images))
    return Tracks(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _follow(images: np.ndarray, triangles: np.ndarray, pixels: np.ndarray, t: int) -> list[Tracks]:
    """The corners of frame `t`, followed over SPANS."""
    image = to_grey(images[t])
    points = corners(image, fill_triangles(image.shape, pixels[t][triangles]), CORNERS, APART)
    which, share = attach(points, pixels[t], triangles)
    points, share, carriers = points[which >= 0], share[which >= 0], triangles[which[which >= 0]]
    found = []
    for span in SPANS:
        if t + span >= len(images) or not len(points):
            continue
        guess = np.einsum("nk,nkc->nc", share, pixels[t + span][carriers])
        end, good = follow_points(image, to_grey(images[t + span]), points, guess)
        good &= np.linalg.norm(end - guess, axis=-1) < FAR
        frame = np.full(len(points), t)
        found.append(Tracks(frame, frame + span, carriers, points, end).at(good))
    return found


def _far_tracks(
    images: np.ndarray,
    model: LandmarkModel,
    poses: Poses,
    pixels: np.ndarray,
    seen: Observations,
    advance: Callable[[float], None],
) -> Tracks:
    """Corners on rigid skin of keyframes, found again wherever the head is turned alike."""
    trust = seen.weights.mean(-1)
    place = poses.translation / METRES_PER_DEGREE
    likeness = np.concatenate([np.degrees(world_turns(poses)), place], -1)
    keys = choose_keyframes(likeness, trust > SURE * np.median(trust))
    triangles, size = rigid_triangles(model), images.shape[1:3]
    shown = {int(k): (triangles, fill_triangles(size, pixels[k][triangles])) for k in keys.frames}
    return find_far_tracks(images, keys, pixels, shown, advance)


def rigid_triangles(model: LandmarkModel) -> np.ndarray:
    """Triangles [N, 3] over landmark points that no expression moves much."""
    steady = (model.rigidity > RIGID) & ~np.isin(model.index, FACE_OVAL)
    front = Delaunay(model.neutral[:, :2]).simplices
    return front[steady[front].all(-1)]


def _track_equations(
    tracks: Tracks, skin: np.ndarray, poses: Poses, K: np.ndarray, soft: float
) -> Normal:
    """What the tracks say of a step of all poses, 6 unknowns per frame."""
    here, there, error = carry_tracks(tracks, skin, poses, K)
    # Geman and McClure: blur, hair and glasses are followed wrongly.
    weight = 1 / (1 + (error**2).sum(-1) / soft**2) ** 2
    jacobians = track_jacobians(tracks, skin, poses, poses.translation, K[0, 0], here, there)
    frames = np.stack([tracks.first, tracks.second], -1)
    return normal_of_tracks(frames, *jacobians, error, weight, len(skin))


def _landmark_hold(
    marks: np.ndarray, poses: Poses, seen: Observations
) -> tuple[np.ndarray, np.ndarray]:
    """Normal blocks [T, 6, 6] and right sides [T, 6] of the weakly weighted landmarks."""
    turned = marks @ np.swapaxes(poses.rotation, -1, -2)
    camera = turned + poses.translation[:, None]
    rows, right = equations(camera, seen)
    residual = right - np.einsum("tmij,tmj->tmi", rows, camera)
    jacobian = np.concatenate([rows @ -cross_matrix(turned), rows], -1)
    jacobian[..., 2, :] -= jacobian[..., 2, :].mean(1, keepdims=True)
    facing = ((-poses.rotation[:, 2, 2] - TURNED) / (STRAIGHT - TURNED)).clip(LEAST, 1)
    hold = LANDMARK_HOLD * facing[:, None] * seen.weights * robust(residual)
    weighted, count = jacobian * hold[..., None, None], len(marks)
    transposed = np.swapaxes(weighted.reshape(count, -1, 6), 1, 2)
    return (
        transposed @ jacobian.reshape(count, -1, 6),
        (transposed @ residual.reshape(count, -1, 1))[..., 0],
    )
