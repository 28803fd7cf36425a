"""Rotations in torch: the twin of engine.api.rotations that the fit differentiates through.

Quaternions are w, x, y, z. Frames carry no gradient in the fit (RGBAvatar's binding.py does the
same), so `quat_from_matrix` only has to be right, not smooth.
"""

from __future__ import annotations

import torch
from torch import Tensor


def multiply_quats(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product a * b [..., 4]: first rotate by b, then by a."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def conjugate(quat: Tensor) -> Tensor:
    """The inverse rotation of unit quaternions [..., 4]."""
    return quat * quat.new_tensor([1.0, -1.0, -1.0, -1.0])


def quat_from_matrix(matrix: Tensor) -> Tensor:
    """Unit quaternions [..., 4] of rotation matrices [..., 3, 3], by the largest of four pivots."""
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
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
    diagonal = torch.stack(
        [1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], -1
    )
    rows = torch.stack(
        [
            torch.stack([diagonal[..., 0], wx, wy, wz], -1),
            torch.stack([wx, diagonal[..., 1], xy, xz], -1),
            torch.stack([wy, xy, diagonal[..., 2], yz], -1),
            torch.stack([wz, xz, yz, diagonal[..., 3]], -1),
        ],
        -2,
    )
    pivot = diagonal.argmax(-1)[..., None, None].expand(*diagonal.shape[:-1], 1, 4)
    quat = rows.gather(-2, pivot)[..., 0, :]
    return quat / quat.norm(dim=-1, keepdim=True)
