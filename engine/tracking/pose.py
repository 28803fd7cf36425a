"""Rigid head pose per frame: a closed-form start, Gauss-Newton on reprojection, torso and neck.

Poses are head to camera (OpenCV axes): p = R X + t. Frames are batched; nothing here knows of
expressions or images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..api.rotations import matrix_from_rotvec, rotvec_from_matrix
from .in_order import in_chunks

# Pull of MediaPipe's relative depth against its image positions: it is noisy but not void.
DEPTH_WEIGHT = 0.15
# The torso takes this share of the head's slow turning, smoothed over this many seconds.
TORSO_SHARE, TORSO_SECONDS = 0.35, 0.6
# World to camera: a y-up world seen down its -z.
VIEWMAT = np.diag([1.0, -1.0, -1.0, 1.0])


class Poses(NamedTuple):
    """Head to camera, T frames."""

    rotation: np.ndarray  # [T, 3, 3]
    translation: np.ndarray  # [T, 3] metres

    def at(self, index: np.ndarray | slice) -> Poses:
        """The poses of some frames."""
        return Poses(self.rotation[index], self.translation[index])

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Camera-space points [T, M, 3] of head-space points [T, M, 3] or [M, 3]."""
        return points @ np.swapaxes(self.rotation, -1, -2) + self.translation[:, None]


class Observations(NamedTuple):
    """What was seen in T frames, in pixels of the crop."""

    pixels: np.ndarray  # [T, M, 2]
    depths: np.ndarray  # [T, M] MediaPipe's z in pixels
    weights: np.ndarray  # [T, M]
    K: np.ndarray  # [3, 3]

    def at(self, index: np.ndarray | slice) -> Observations:
        """The observations of some frames."""
        return Observations(self.pixels[index], self.depths[index], self.weights[index], self.K)


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Pixels [..., 2] of camera-space points [..., 3]."""
    image = points @ K.T
    return image[..., :2] / image[..., 2:]


def equations(points: np.ndarray, seen: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Rows [T, M, 3, 3] and right sides [T, M, 3]: rows @ p = right, in pixels, linear in p.

    Two rows are the pixel's ray (x f - (u - c) z = 0), exact for every depth; the third holds the
    relative depth. `points` [T, M, 3] in the camera only scale them.
    """
    focal, centre = seen.K[0, 0], seen.K[:2, 2]
    z = points[..., 2]
    rows = np.zeros((*z.shape, 3, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = focal / z
    rows[..., :2, 2] = (centre - seen.pixels) / z[..., None]
    rows[..., 2, 2] = DEPTH_WEIGHT * focal / z
    mean = z.mean(-1, keepdims=True)
    relative = seen.depths - seen.depths.mean(-1, keepdims=True)
    right = np.zeros((*z.shape, 3))
    right[..., 2] = rows[..., 2, 2] * (mean + relative * mean / focal)
    return rows, right


def first_poses(points: np.ndarray, seen: Observations) -> Poses:
    """Poses from the similarity (Umeyama 1991) of head points [M, 3] to MediaPipe's landmarks."""
    target = np.concatenate([seen.pixels, seen.depths[..., None]], -1)
    w = seen.weights / seen.weights.sum(-1, keepdims=True)
    middle = np.einsum("tm,mc->tc", w, points)
    target_middle = np.einsum("tm,tmc->tc", w, target)
    a, b = points - middle[:, None], target - target_middle[:, None]
    covariance = np.einsum("tm,tmi,tmj->tij", w, b, a)
    u, s, vt = np.linalg.svd(covariance)
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(-1) / np.einsum("tm,tmc->t", w, a**2)
    focal, centre = seen.K[0, 0], seen.K[:2, 2]
    depth = focal / scale
    position = np.concatenate(
        [(target_middle[:, :2] - centre) * (depth / focal)[:, None], depth[:, None]], -1
    )
    return Poses(rotation, position - np.einsum("tij,tj->ti", rotation, middle))


def refine_poses(points: np.ndarray, poses: Poses, seen: Observations, rounds: int = 2) -> Poses:
    """Gauss-Newton on weighted reprojection of head points [T, M, 3]. Two rounds are enough where
    poses and expressions are solved in turn, each from where the other left off."""

    def refine(part: slice) -> Poses:
        return _refine(points[part], poses.at(part), seen.at(part), rounds)

    refined = in_chunks(refine, len(points))
    return Poses(*map(np.concatenate, zip(*refined, strict=True)))


def _refine(points: np.ndarray, poses: Poses, seen: Observations, rounds: int) -> Poses:
    for _ in range(rounds):
        turned = points @ np.swapaxes(poses.rotation, -1, -2)
        camera = turned + poses.translation[:, None]
        rows, right = equations(camera, seen)
        residual = right - np.einsum("tmij,tmj->tmi", rows, camera)
        # d(R X + t) = omega x (R X) + dt
        jacobian = np.concatenate([rows @ -cross_matrix(turned), rows], -1)
        # Depths are relative to their mean, which moves along with the head.
        jacobian[..., 2, :] -= jacobian[..., 2, :].mean(1, keepdims=True)
        weighted = jacobian * (seen.weights * robust(residual))[..., None, None]
        count = len(points)
        transposed = np.swapaxes(weighted.reshape(count, -1, 6), 1, 2)
        normal = transposed @ jacobian.reshape(count, -1, 6)
        step = np.linalg.solve(
            normal + 1e-6 * np.eye(6) * np.trace(normal, axis1=1, axis2=2)[:, None, None] / 6e3,
            transposed @ residual.reshape(count, -1, 1),
        )[..., 0]
        poses = Poses(
            matrix_from_rotvec(step[:, :3]) @ poses.rotation, poses.translation + step[:, 3:]
        )
    return poses


def robust(residual: np.ndarray, pixels: float = 4.0) -> np.ndarray:
    """Weights [..., ] of residuals [..., 3] after Geman and McClure: half at `pixels`."""
    return 1 / (1 + (residual[..., :2] ** 2).sum(-1) / pixels**2)


def cross_matrix(vectors: np.ndarray) -> np.ndarray:
    """Matrices [..., 3, 3] with M @ w = v x w."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)


def split_neck(
    poses: Poses, neck_joint: np.ndarray, fps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Torso rotation [T, 3], translation [T, 3] and neck [T, 3] in the world, exact for the head.

    The torso follows a share of the head's slow turning; the neck does the rest:
    R_head = R_root N and t_head = R_root (J - N J) + t_root.
    """
    root = slow_turns(poses, fps)
    return root, *hang_head(poses, root, neck_joint)


def slow_turns(poses: Poses, fps: float) -> np.ndarray:
    """A torso's rotation vectors [T, 3] in the world as far as its head's slow turning tells."""
    sigma = max(TORSO_SECONDS * fps, 1e-3)
    return TORSO_SHARE * gaussian_filter1d(world_turns(poses), sigma, axis=0, mode="nearest")


def world_turns(poses: Poses) -> np.ndarray:
    """The heads' rotation vectors [T, 3] in the world."""
    return rotvec_from_matrix(VIEWMAT[:3, :3].T @ poses.rotation)


def hang_head(
    poses: Poses, root: np.ndarray, neck_joint: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Translation [T, 3] and neck [T, 3] that leave the head in place on torsos turned by `root`
    [T, 3]."""
    turn = VIEWMAT[:3, :3].T @ poses.rotation
    shift = poses.translation @ VIEWMAT[:3, :3]
    root_matrix = matrix_from_rotvec(root)
    neck = np.swapaxes(root_matrix, -1, -2) @ turn
    lever = neck_joint - neck @ neck_joint
    translation = shift - np.einsum("tij,tj->ti", root_matrix, lever)
    return translation, rotvec_from_matrix(neck)
