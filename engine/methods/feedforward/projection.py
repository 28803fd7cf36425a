"""Where points of a head fall in pictures, and what the pictures show there.

World, head and camera spaces are those of `engine.api.head`; pixel centres at half integers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ...api.head import JOINTS, HeadModel
from ...rasterize.semantics import NEAR
from .views import Views

STILL = 1e-3
"""Metres by which an expression may move a vertex that tells the head's pose."""


def still_vertices(head: HeadModel) -> np.ndarray:
    """Indices of the vertices that move with the skull alone, and with no expression."""
    with_skull = head.skin_weights[:, JOINTS.index("neck")] > 0.99
    moved = np.linalg.norm(head.expression_deltas, axis=-1).max(0, initial=0)
    found = np.flatnonzero(with_skull & (moved < STILL))
    return found if len(found) >= 3 else np.arange(len(head.vertices))


@torch.no_grad()
def skull_poses(head: HeadModel, vertices: Tensor) -> Tensor:
    """Rigid motions [V, 4, 4] from the neutral head to the skull of posed vertices [V, n, 3],
    least squares (Kabsch)."""
    still = still_vertices(head)
    rest = torch.from_numpy(head.vertices[still].astype(np.float32)).to(vertices)
    posed = vertices[:, torch.from_numpy(still).to(vertices.device)]
    rest_middle, middle = rest.mean(0), posed.mean(1)
    spread = (rest - rest_middle).T @ (posed - middle[:, None])  # [V, 3, 3]
    u, _, vt = torch.linalg.svd(spread.float())
    turn = vt.mT @ u.mT
    flip = torch.ones_like(turn[:, 0])
    flip[:, 2] = torch.linalg.det(turn).sign()
    turn = (vt.mT * flip[:, None]) @ u.mT
    pose = torch.eye(4, device=vertices.device).repeat(len(vertices), 1, 1)
    pose[:, :3, :3] = turn
    pose[:, :3, 3] = middle - (turn @ rest_middle[:, None])[..., 0]
    return pose


def head_cameras(views: Views) -> Tensor:
    """Cameras [V, 4, 4] as the skull sees them: from the neutral head's space to the camera's. The
    pose of the head is in them, so a network need not find it (paper 003, A.2)."""
    return views.cameras.viewmats @ skull_poses(views.head, views.vertices)


def project(points: Tensor, viewmats: Tensor, Ks: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels [V, N, 2] and depths [V, N] in metres of points [V, N, 3]."""
    seen = points @ viewmats[:, :3, :3].mT + viewmats[:, None, :3, 3]
    depth = seen[..., 2]
    pixels = (seen @ Ks.mT)[..., :2] / depth[..., None].clamp_min(NEAR)
    return pixels, depth


def sample(maps: Tensor, pixels: Tensor, width: int, height: int) -> Tensor:
    """Maps [V, C, h, w] of pictures of `width` x `height`, read at pixels [V, N, 2]: [V, N, C].
    Bilinear; beyond the border the border's value."""
    size = torch.tensor([width, height], dtype=pixels.dtype, device=pixels.device)
    grid = (pixels / size * 2 - 1).to(maps.dtype)[:, :, None]
    read = grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return read[..., 0].mT


def pixel_rays(Ks: Tensor, width: int, height: int, rows: int, columns: int) -> Tensor:
    """Directions [V, rows, columns, 3] in camera space, of depth 1, of the cells of a grid over
    pictures of `width` x `height`."""
    x = (torch.arange(columns, device=Ks.device) + 0.5) * (width / columns)
    y = (torch.arange(rows, device=Ks.device) + 0.5) * (height / rows)
    y, x = torch.meshgrid(y, x, indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], dim=-1).to(Ks)
    return pixels @ torch.linalg.inv(Ks).mT[:, None]


def plucker_rays(
    viewmats: Tensor, Ks: Tensor, width: int, height: int, rows: int, columns: int
) -> Tensor:
    """Plücker coordinates [V, 6, rows, columns] of the rays through a grid of cells: unit direction
    d and moment o x d, in the space that `viewmats` come from (paper 003, eq. 3)."""
    turn = viewmats[:, :3, :3]
    origin = -(turn.mT @ viewmats[:, :3, 3:])[..., 0]  # [V, 3]
    rays = pixel_rays(Ks, width, height, rows, columns) @ turn[:, None]
    direction = torch.nn.functional.normalize(rays, dim=-1)
    moment = torch.linalg.cross(origin[:, None, None].expand_as(direction), direction)
    return torch.cat([direction, moment], dim=-1).movedim(-1, 1)


@torch.no_grad()
def visible(
    pixels: Tensor, depths: Tensor, surface: Tensor, width: int, height: int, tolerance: float
) -> Tensor:
    """Which [V, N] of the points at pixels [V, N, 2] and depths [V, N] lie within the picture and
    no further than `tolerance` metres behind the surface's depths [V, h, w], infinite or 0 where
    there is none. A test of linear depths, in metres."""
    size = torch.tensor([width, height], dtype=pixels.dtype, device=pixels.device)
    inside = ((pixels >= 0) & (pixels < size)).all(-1) & (depths > NEAR)
    rows, columns = surface.shape[-2:]
    cell = (pixels / size * size.new_tensor([columns, rows])).floor().long()
    column, row = cell[..., 0].clamp(0, columns - 1), cell[..., 1].clamp(0, rows - 1)
    nearest = surface.flatten(1).gather(1, row * columns + column)
    return inside & ((depths <= nearest + tolerance) | (nearest <= 0))
