"""Rotations in NumPy: rotation vectors (radians), 3x3 matrices, quaternions (w, x, y, z)."""

from __future__ import annotations

import numpy as np


def matrix_from_rotvec(rotvec: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] of rotation vectors [..., 3] (Rodrigues)."""
    rotvec = np.asarray(rotvec)
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(rotvec, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    # sin(a)/a and (1 - cos a)/a^2, finite at zero.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return (np.eye(3, dtype=rotvec.dtype) + first * cross + second * (cross @ cross)).astype(
        rotvec.dtype
    )


def rotvec_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Rotation vectors [..., 3] of matrices [..., 3, 3], angle in 0..pi."""
    quat = quat_from_matrix(matrix)
    quat = np.where(quat[..., :1] < 0, -quat, quat)
    sine = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quat[..., :1])
    return quat[..., 1:] * np.where(sine > 1e-8, angle / np.maximum(sine, 1e-8), 2.0)


def quat_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternions [..., 4] of rotation matrices [..., 3, 3], by the largest of four pivots."""
    m = np.asarray(matrix)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    ww4 = np.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], -1)
    wx, wy, wz = (
        m[..., 2, 1] - m[..., 1, 2],
        m[..., 0, 2] - m[..., 2, 0],
        m[..., 1, 0] - m[..., 0, 1],
    )
    xy, xz, yz = (
        m[..., 0, 1] + m[..., 1, 0],
        m[..., 0, 2] + m[..., 2, 0],
        m[..., 1, 2] + m[..., 2, 1],
    )
    rows = np.stack(
        [
            np.stack([ww4[..., 0], wx, wy, wz], -1),
            np.stack([wx, ww4[..., 1], xy, xz], -1),
            np.stack([wy, xy, ww4[..., 2], yz], -1),
            np.stack([wz, xz, yz, ww4[..., 3]], -1),
        ],
        -2,
    )
    pivot = np.argmax(ww4, axis=-1)[..., None, None]
    quat = np.take_along_axis(rows, np.broadcast_to(pivot, (*pivot.shape[:-1], 4)), axis=-2)
    quat = quat[..., 0, :]
    return quat / np.linalg.norm(quat, axis=-1, keepdims=True)


def matrix_from_quat(quat: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] of quaternions [..., 4], which need not be unit."""
    w, x, y, z = np.moveaxis(quat / np.linalg.norm(quat, axis=-1, keepdims=True), -1, 0)
    return np.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y - w * z),
            2 * (x * z + w * y),
            2 * (x * y + w * z),
            1 - 2 * (x * x + z * z),
            2 * (y * z - w * x),
            2 * (x * z - w * y),
            2 * (y * z + w * x),
            1 - 2 * (x * x + y * y),
        ],
        -1,
    ).reshape(*w.shape, 3, 3)


def multiply_quats(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product a * b [..., 4]: first rotate by b, then by a."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )
