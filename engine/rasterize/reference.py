"""The slow, exact rasteriser in plain torch, in any dtype and on any device: the truth in tests.

Gradients come from autograd. Pixels are handled in square tiles so that memory stays bounded and
Gaussians that cannot reach a tile are left out of it; that changes no value.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..gaussians import Cameras, Gaussians
from .semantics import (
    BLUR,
    FAR,
    FRUSTUM_MARGIN,
    MAX_ALPHA,
    MIN_ALPHA,
    NEAR,
    STOP,
    drop_nonfinite,
)


class _Footprints(NamedTuple):
    """The visible Gaussians of one image, near to far."""

    means: Tensor  # [M, 2] pixels
    conics: Tensor  # [M, 3] inverse covariances: xx, xy, yy
    reaches: Tensor  # [M, 2] pixels; half extents of the box where alpha >= MIN_ALPHA
    depths: Tensor  # [M] metres
    opacities: Tensor  # [M]
    colors: Tensor  # [M, D]


def rasterize(
    gaussians: Gaussians, cameras: Cameras, backgrounds: Tensor, tile: int = 32
) -> tuple[Tensor, Tensor, Tensor]:
    """See `engine.rasterize.rasterize`; here all fields have a batch dimension [B, N, ...]."""
    gaussians = drop_nonfinite(gaussians)
    size = (cameras.width, cameras.height)
    images = []
    for b, (viewmat, K) in enumerate(zip(cameras.viewmats, cameras.Ks, strict=True)):
        one = Gaussians(*(value[b] for value in gaussians))
        footprints = _project(one, viewmat.to(one.means), K.to(one.means), *size)
        images.append(_blend_image(footprints, backgrounds[b], *size, tile))
    colors, alphas, depths = (torch.stack(parts) for parts in zip(*images, strict=True))
    return colors, alphas, depths


def rotation_matrices(quats: Tensor) -> Tensor:
    """Quaternions [..., 4] (w, x, y, z; any length) to matrices [..., 3, 3]."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    entries = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(entries, -1).unflatten(-1, (3, 3))


def _covariances(
    points: Tensor, gaussians: Gaussians, rotation: Tensor, K: Tensor, width: int, height: int
) -> Tensor:
    """2D covariances [N, 2, 2] in px^2 of Gaussians whose centres are at points [N, 3] (camera)."""
    z = points[:, 2]
    slopes = []
    for axis, size in enumerate((width, height)):
        focal, centre = K[axis, axis], K[axis, 2]
        margin = FRUSTUM_MARGIN * 0.5 * size / focal
        low, high = -centre / focal - margin, (size - centre) / focal + margin
        slopes.append((points[:, axis] / z).clamp(low, high))
    zero = torch.zeros_like(z)
    fx, fy = K[0, 0] / z, K[1, 1] / z
    jacobian = torch.stack([fx, zero, -fx * slopes[0], zero, fy, -fy * slopes[1]], -1)
    axes = rotation_matrices(gaussians.quats) * gaussians.scales[:, None]
    half = jacobian.unflatten(-1, (2, 3)) @ rotation @ axes
    return half @ half.mT + BLUR * torch.eye(2).to(half)


def _project(
    gaussians: Gaussians, viewmat: Tensor, K: Tensor, width: int, height: int
) -> _Footprints:
    points = gaussians.means @ viewmat[:3, :3].T + viewmat[:3, 3]
    visible = (points[:, 2] >= NEAR) & (points[:, 2] <= FAR) & (gaussians.opacities >= MIN_ALPHA)
    order = torch.argsort(points[:, 2].detach(), stable=True)
    order = order[visible[order]]
    gaussians, points = Gaussians(*(value[order] for value in gaussians)), points[order]
    covariances = _covariances(points, gaussians, viewmat[:3, :3], K, width, height)
    xx, xy, yy = covariances[:, 0, 0], covariances[:, 0, 1], covariances[:, 1, 1]
    determinants = xx * yy - xy * xy
    levels = 2 * torch.log(gaussians.opacities / MIN_ALPHA)
    return _Footprints(
        means=points[:, :2] / points[:, 2:] * K.diagonal()[:2] + K[:2, 2],
        conics=torch.stack([yy, -xy, xx], -1) / determinants[:, None],
        reaches=torch.stack([levels * xx, levels * yy], -1).detach().sqrt() + 1,
        depths=points[:, 2],
        opacities=gaussians.opacities,
        colors=gaussians.colors,
    )


def _blend_image(
    footprints: _Footprints, background: Tensor, width: int, height: int, tile: int
) -> tuple[Tensor, Tensor, Tensor]:
    channels = torch.cat([footprints.colors, footprints.depths[:, None]], -1)  # [M, D + 1]
    behind = torch.cat([background.to(channels), channels.new_zeros(1)])
    rows = []
    for top in range(0, height, tile):
        row = []
        for left in range(0, width, tile):
            ends = min(left + tile, width), min(top + tile, height)
            row.append(_blend_tile(footprints, channels, behind, (left, top), ends))
        rows.append(torch.cat(row, 1))
    image = torch.cat(rows)  # [H, W, D + 2]
    colors, depth, alpha = image.split([image.shape[-1] - 2, 1, 1], -1)
    return colors, alpha, depth


def _blend_tile(
    footprints: _Footprints,
    channels: Tensor,
    behind: Tensor,
    start: tuple[int, int],
    end: tuple[int, int],
) -> Tensor:
    """Blended channels and alpha [h, w, D + 2] of the pixels from start to end (x, y)."""
    means, reaches = footprints.means.detach(), footprints.reaches
    near = (means + reaches > means.new_tensor(start)).all(-1)
    near &= (means - reaches < means.new_tensor(end)).all(-1)
    x, y = (torch.arange(a, b).to(means) + 0.5 for a, b in zip(start, end, strict=True))
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)  # [h, w, 2]
    dx, dy = (pixels[:, :, None] - footprints.means[near]).unbind(-1)  # [h, w, m]
    a, b, c = footprints.conics[near].unbind(-1)
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    alpha = (footprints.opacities[near] * torch.exp(-sigma)).clamp(max=MAX_ALPHA)
    alpha = torch.where(alpha >= MIN_ALPHA, alpha, 0)
    after = torch.cumprod(1 - alpha, -1)
    alpha = torch.where(after > STOP, alpha, 0)
    after = torch.cumprod(1 - alpha, -1)
    before = torch.cat([torch.ones_like(pixels[..., :1]), after], -1)
    weights = alpha * before[..., :-1]
    left_over = before[..., -1:]
    return torch.cat([weights @ channels[near] + left_over * behind, 1 - left_over], -1)
