"""What stands off the head, a veil, long hair, a wide collar, as a sheet of Gaussians.

Where a picture's matte reaches beyond the grown head, points are set on the pixels, at the depth to
which the head's own edge continues. OMG-Avatar (paper 004, eq. 9 to 11) does so for the shoulders:
the mask is the matte without the depth buffer's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ...api.baked import BakedAvatar, Binding
from ...binding import joined, uv_tangents
from ...rasterize import rasterize
from ...restored_avatar import RestoredAvatar
from ..feedforward.views import Views

SIZE = 170
"""Side of the grid of points: one for every three pixels of 512."""
BARE, SOLID = 0.5, 0.6
"""Coverage of the head below which, and of the matte above which, a point is set."""
LEAST = 300
"""Fewer points than this are the outline's raggedness and no sheet."""
CARRIES = ("scalp", "shoulders", "neck")
"""Regions that may carry points: a face moves too much."""
OVERLAP = 0.7
"""Deviation in units of the distance between points."""
LOGIT = 2.0
THIRD = np.float32(1 / 3)
BACK = 0.5
"""How much a sheet recedes for every metre that it leaves the head: cloth and hair fall back."""


def in_sheet(binding: Binding) -> np.ndarray:
    """Which [N] Gaussians are of a sheet: bound to the very middle of a triangle, as no sample of a
    surface is."""
    return (binding.barycentric == THIRD).all(-1)


def with_sheet(baked: BakedAvatar, views: Views) -> BakedAvatar:
    """The avatar with a sheet, after its other Gaussians, where the first view's matte reaches
    beyond it."""
    view = views[[0]]
    avatar = RestoredAvatar(baked)
    alpha, depth, matte = _buffers(avatar, view)
    missing = (matte > SOLID) & (alpha < BARE)
    if missing.sum() < LEAST or (alpha > BARE).sum() < LEAST:
        return baked
    depths = _continued(depth, alpha > BARE, missing)
    rows, columns = np.nonzero(missing)
    points, pixel = _points(view, rows, columns, depths[rows, columns])
    binding, local = _bound(baked, view, points)
    base = np.zeros((len(points), baked.base.shape[1]), np.float32)
    base[:, :3], base[:, 3] = local, 1
    base[:, 7:10] = np.log(OVERLAP * pixel)[:, None]
    base[:, 10], base[:, 11:] = LOGIT, 0.5
    still = np.zeros((len(baked.deltas), *base.shape), np.float32)
    count = len(baked.base) + len(base)
    return replace(
        baked,
        binding=joined(baked.binding, binding),
        base=np.concatenate([baked.base, base]),
        deltas=np.concatenate([baked.deltas, still], axis=1),
        levels=(count,),
    )


@torch.no_grad()
def _buffers(avatar: RestoredAvatar, view: Views) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coverage, depth in metres and matte, each [SIZE, SIZE]."""
    Ks = view.cameras.Ks.clone()
    Ks[:, 0] *= SIZE / view.cameras.width
    Ks[:, 1] *= SIZE / view.cameras.height
    small = view.cameras._replace(Ks=Ks, width=SIZE, height=SIZE)
    gaussians = avatar.gaussians(avatar.weights(view.codes), view.vertices)
    _, alpha, depth = rasterize(gaussians, small)
    matte = torch.nn.functional.interpolate(view.pictures[None, ..., 3], (SIZE, SIZE), mode="area")
    coverage = alpha[0, ..., 0].numpy()
    return coverage, depth[0, ..., 0].numpy() / np.maximum(coverage, 1e-6), matte[0, 0].numpy()


def _continued(depth: np.ndarray, known: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Depth [H, W], of the pixels `missing` the smoothest continuation of the known beside them,
    receding with the distance from them."""
    height, width = depth.shape
    wanted = np.flatnonzero(missing)
    index = np.full(height * width, -1)
    index[wanted] = np.arange(len(wanted))
    rows, columns = np.divmod(wanted, width)
    degree, right = np.full(len(wanted), 1e-6), np.zeros(len(wanted))
    right += 1e-6 * np.median(depth[known])
    pairs = []
    for down, across in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = rows + down, columns + across
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        beside = np.where(inside, y * width + x, 0)
        free = inside & (index[beside] >= 0)
        edge = inside & known.flat[beside] & ~free
        degree += free + edge
        right += np.where(edge, depth.flat[beside], 0.0)
        pairs.append(np.column_stack([np.flatnonzero(free), index[beside[free]]]))
    i, j = np.concatenate(pairs).T
    count = len(wanted)
    system = diags(degree) - coo_matrix((np.ones(len(i)), (i, j)), shape=(count, count))
    found = depth.copy()
    away = distance_transform_edt(~known).flat[wanted]
    metres = away * found[known].mean() / SIZE
    found.flat[wanted] = splu(csc_matrix(system)).solve(right) + BACK * metres
    return found


def _points(
    view: Views, rows: np.ndarray, columns: np.ndarray, depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World points [n, 3] at the depths [n] of grid cells, and the size [n] of a cell there."""
    K, viewmat = view.cameras.Ks[0].numpy(), view.cameras.viewmats[0].numpy()
    cell = view.cameras.width / SIZE
    x = ((columns + 0.5) * cell - K[0, 2]) / K[0, 0]
    y = ((rows + 0.5) * cell - K[1, 2]) / K[1, 1]
    camera = np.column_stack([x, y, np.ones_like(x)]) * depth[:, None]
    return (camera - viewmat[:3, 3]) @ viewmat[:3, :3], cell * depth / K[0, 0]


def _bound(baked: BakedAvatar, view: Views, points: np.ndarray) -> tuple[Binding, np.ndarray]:
    """A binding of world points [n, 3] to the nearest triangles that may carry them, and the points
    in their tangent frames [n, 3]."""
    head, vertices = baked.head, view.vertices[0].numpy()
    names = [i for i, name in enumerate(head.region_names) if name in CARRIES]
    faces = np.flatnonzero(np.isin(head.face_regions, names))
    centres = vertices[head.faces[faces]].mean(1)
    face = faces[cKDTree(centres).query(points)[1]].astype(np.int32)
    thirds = np.full((len(points), 3), THIRD)
    binding = Binding(face, thirds, uv_tangents(head.face_uvs)[face])
    frame, origin = binding.frames(head.faces, vertices)
    return binding, np.einsum("nji,nj->ni", frame, points - origin)
