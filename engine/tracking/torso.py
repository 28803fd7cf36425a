"""How the torso turns, from what it wears: corners on chest and shoulders, found all over a clip.

The head's pose says where the neck's joint is; the torso turns about it. Where clothes have no
texture, the torso follows a share of the head's slow turning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..api.head import JOINTS, HeadModel
from ..api.rotations import matrix_from_rotvec, rotvec_from_matrix
from ..imaging import dilate, erode, fill_polygon, fill_triangles
from .bundle import Normal, normal_of_tracks, solved
from .detectors import person_segmenter
from .keyframes import Keyframes, choose_keyframes, find_far_tracks
from .pose import VIEWMAT, Poses, project, slow_turns, world_turns
from .tracks import Tracks, carry_tracks, track_jacobians

ROOT, NECK = JOINTS.index("root"), JOINTS.index("neck")
STIFF = 0.97  # skin weight of the root from which on skin belongs to the torso
FACING = 0.15  # cosine to the camera below which cloth is seen at too sharp a slant
EDGE, CHIN = 5, 8  # pixels of 512 inside the person's outline, and around the face
# Frames look alike when the neck is in the same place: so many pixels count as one degree.
PIXELS_PER_DEGREE = 10.0
# Corners that are off by this many pixels count half; first many are, for the start is a guess.
SOFT = (16.0, 10.0, 7.0, 5.0, 4.0, 3.0, 3.0)
# Pulls in px^2 per radian^2, where a corner on a shoulder has 10^5: to the guess, and, at 25
# frames a second, to the frame before.
HOLD, STEADY = 3e4, 3e5


class Cloth(NamedTuple):
    """The part of the head model that is torso, as it lies in head space."""

    vertices: np.ndarray  # [V, 3]
    triangles: np.ndarray  # [F, 3]
    normals: np.ndarray  # [F, 3]


def torso_turns(
    images: np.ndarray,
    landmarks: np.ndarray,
    sure: np.ndarray,
    head: HeadModel,
    poses: Poses,
    K: np.ndarray,
    fps: float,
    advance: Callable[[float], None],
) -> np.ndarray:
    """Rotation vectors [T, 3] of the torso in the world, for heads in their `poses`.

    `images` [T, H, W, 3], consecutive; `landmarks` [T, 478, 3] pixels; `sure` [T] where they may
    be trusted.
    """
    guess = slow_turns(poses, fps)
    cloth = cloth_of(head)
    joint = poses.apply(head.joint_positions[[NECK]].astype(float))[:, 0]
    if not len(cloth.triangles) or not sure.any():
        return guess
    rest = head.joint_positions[NECK].astype(float)
    torso = torso_poses(guess, joint, rest)
    places = project(joint, K) * 512 / (PIXELS_PER_DEGREE * images.shape[1])
    keys = choose_keyframes(np.concatenate([places, np.degrees(guess)], -1), sure)
    pixels = project(torso.apply(cloth.vertices), K)
    shown = _shown(images, landmarks, keys, cloth, torso, pixels)
    tracks = find_far_tracks(images, keys, pixels, shown, advance)
    return carried_turns(tracks, cloth, torso, joint, rest, K, fps)


def carried_turns(
    tracks: Tracks,
    cloth: Cloth,
    torso: Poses,
    joint: np.ndarray,
    rest: np.ndarray,
    K: np.ndarray,
    fps: float,
) -> np.ndarray:
    """Turns [T, 3] in the world that carry the tracks' corners along with the cloth, from a guess
    `torso`; for `joint` and `rest` see torso_poses."""
    guess = torso.rotation
    for soft in SOFT:
        step = _step(tracks, cloth, torso, guess, joint, K, soft, fps)
        torso = _placed(matrix_from_rotvec(step) @ torso.rotation, joint, rest)
    return world_turns(torso)


def cloth_of(head: HeadModel) -> Cloth:
    """The head's torso; it may be empty."""
    stiff = head.skin_weights[:, ROOT] > STIFF
    used, inverse = np.unique(head.faces[stiff[head.faces].all(-1)], return_inverse=True)
    vertices, triangles = head.vertices[used].astype(np.float64), inverse.reshape(-1, 3)
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    return Cloth(vertices, triangles, normals)


def torso_poses(root: np.ndarray, joint: np.ndarray, rest: np.ndarray) -> Poses:
    """Torso to camera, turned by `root` [T, 3] in the world, the neck's joint, which rests at
    `rest` [3] in head space, at `joint` [T, 3] before the camera."""
    return _placed(VIEWMAT[:3, :3] @ matrix_from_rotvec(root), joint, rest)


def _placed(turn: np.ndarray, joint: np.ndarray, rest: np.ndarray) -> Poses:
    return Poses(turn, joint - turn @ rest)


def _shown(
    images: np.ndarray,
    landmarks: np.ndarray,
    keys: Keyframes,
    cloth: Cloth,
    torso: Poses,
    pixels: np.ndarray,
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """For each keyframe the triangles that face the camera, and where the person shows them."""
    size = images.shape[1]
    edge, chin = (max(1, round(reach * size / 512)) for reach in (EDGE, CHIN))
    shown = {}
    with person_segmenter() as segment:
        for k in map(int, keys.frames):
            middles = torso.at(slice(k, k + 1)).apply(cloth.vertices)[0][cloth.triangles].mean(1)
            rays = middles / np.linalg.norm(middles, axis=-1, keepdims=True)
            facing = -((cloth.normals @ torso.rotation[k].T) * rays).sum(-1) > FACING
            triangles = cloth.triangles[facing]
            person = erode(segment(np.ascontiguousarray(images[k])) > 0.5, edge)
            face = dilate(fill_polygon((size, size), landmarks[k, :468, :2]), chin)
            mask = fill_triangles((size, size), pixels[k][triangles]) & person & ~face
            shown[k] = (triangles, mask)
    return shown


def _step(
    tracks: Tracks,
    cloth: Cloth,
    torso: Poses,
    guess: np.ndarray,
    joint: np.ndarray,
    K: np.ndarray,
    soft: float,
    fps: float,
) -> np.ndarray:
    """One Gauss-Newton step of all turns: rotation vectors [T, 3] before the camera."""
    count = len(guess)
    shaped = np.broadcast_to(cloth.vertices, (count, *cloth.vertices.shape))
    here, there, error = carry_tracks(tracks, shaped, torso, K)
    weight = 1 / (1 + (error**2).sum(-1) / soft**2) ** 2
    both = track_jacobians(tracks, shaped, torso, joint, K[0, 0], here, there)
    first, second = (one[..., :3] for one in both)
    frames = np.stack([tracks.first, tracks.second], -1)
    normal = normal_of_tracks(frames, first, second, error, weight, count)
    return solved(_with_priors(normal, torso.rotation @ np.swapaxes(guess, -1, -2), fps))


def _with_priors(normal: Normal, turned: np.ndarray, fps: float) -> Normal:
    """The equations with the pulls of HOLD and STEADY on turns `turned` [T, 3, 3] off the guess."""
    off, identity = rotvec_from_matrix(turned), np.eye(3)
    steady = STEADY * (fps / 25) ** 2
    diagonal, right = normal.diagonal + HOLD * identity, normal.right - HOLD * off
    change = steady * np.diff(off, axis=0)
    diagonal[1:] += steady * identity
    diagonal[:-1] += steady * identity
    right[1:] -= change
    right[:-1] += change
    frames = np.arange(len(off))
    neighbours = np.stack([frames[:-1], frames[1:]], -1)
    between = np.broadcast_to(-steady * identity, (len(neighbours), 3, 3))
    return Normal(
        diagonal,
        right,
        np.concatenate([normal.pairs, neighbours]),
        np.concatenate([normal.blocks, between]),
    )
