"""Hair, collar and shoulders grown out of the head until it fills the mattes.

The head that tracking finds is bald. A smooth, nearly symmetric field of displacements along the
normals, found by descent on what the mattes say, gives hair its volume all round: a picture's
outline says how far it reaches, and what is true at the outline is likely true beside it.
Preconditioning by smoothness: Nicolet et al., Large Steps in Inverse Rendering (2021), eq. 9.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import csc_matrix, diags
from scipy.sparse.linalg import splu
from torch import Tensor

from ...api.baked import MEANS, SCALES, BakedAvatar
from ...api.head import HeadModel
from ...gaussians import Cameras, Gaussians
from ...heads.smooth_field import edges_of, graph_laplacian
from ...mesh import face_areas, vertex_normals
from ...progress import Tick, silent
from ...rasterize import rasterize
from ...restored_avatar import RestoredAvatar
from ..feedforward.views import Views

GROWS = {"scalp": 0.08, "shoulders": 0.06, "neck": 0.03}
"""Regions that may, and how far in metres; what landmarks hold in place may not."""
SMOOTH, PINNED = 60.0, 100.0
MOST_STRETCH = 2.5
SYMMETRIC = 0.8
"""Share of the field that both sides have in common."""
THINNEST = -0.01
"""Metres."""
PRIOR = 160.0
"""Cost of a mean square metre: what no outline asks for stays where tracking found it."""
SIZE = 128
"""Side of the mattes compared."""
STEPS, RATE = 70, 4e-3
MOST_VIEWS = 6
CLOSED = 1.3
"""Gaussians are drawn larger by this, or gaps would count as thin."""


def grown(baked: BakedAvatar, views: Views, tick: Tick = silent) -> BakedAvatar:
    """The avatar with its Gaussians carried out along the normals to where the mattes end."""
    avatar = RestoredAvatar(baked)
    field = _Field(baked.head, baked.binding.face, baked.binding.barycentric)
    picked = np.unique(np.linspace(0, len(views) - 1, MOST_VIEWS).round().astype(int))
    views = views[torch.from_numpy(picked)]
    cameras, mattes = _shrunk(views)
    with torch.no_grad():
        drawn = avatar.gaussians(avatar.weights(views.codes), views.vertices)
    normals = torch.from_numpy(vertex_normals(views.vertices.numpy(), baked.head.faces))
    optimiser = torch.optim.Adam([field.free], lr=RATE)
    for step in range(STEPS):
        view = [step % len(views)]
        moved = field.moved()
        image = _alpha(drawn, field.shifts(moved, normals[view]), cameras, view)
        loss = (image - mattes[view]).abs().mean() + PRIOR * moved.square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        tick((step + 1) / STEPS)
    return _carried_out(baked, field)


@torch.no_grad()
def _carried_out(baked: BakedAvatar, field: _Field) -> BakedAvatar:
    """The avatar on the grown surface, its Gaussians as much wider as the surface is."""
    head, base = baked.head, baked.base.copy()
    normals = vertex_normals(head.vertices, head.faces)
    frame, _ = baked.binding.frames(head.faces, head.vertices)
    moved = field.moved()
    shift = field.shifts(moved, torch.from_numpy(normals)[None])[0].numpy()
    base[:, MEANS] += np.einsum("nji,nj->ni", frame, shift)
    larger = head.vertices + moved.numpy()[:, None] * normals
    before, after = (face_areas(vertices, head.faces) for vertices in (head.vertices, larger))
    wider = np.sqrt(after / np.maximum(before, 1e-12)).clip(1, MOST_STRETCH)
    base[:, SCALES] += np.log(wider[baked.binding.face])[:, None]
    return replace(baked, base=base)


class _Smoothed(torch.autograd.Function):
    """A solution with factors of a symmetric matrix, which smooths a gradient just so."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factors: Any) -> Tensor:
        ctx.factors = factors
        return torch.from_numpy(factors.solve(values.detach().double().numpy()).astype(np.float32))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        solved = ctx.factors.solve(gradient.double().numpy())
        return torch.from_numpy(solved.astype(np.float32)), None


class _Field:
    """A displacement for every vertex, smooth by its parametrisation."""

    def __init__(self, head: HeadModel, face: np.ndarray, barycentric: np.ndarray) -> None:
        count = len(head.vertices)
        laplacian = graph_laplacian(head.vertices.astype(float), edges_of(head.faces))
        system = diags(1 + PINNED * _held(head)) + SMOOTH * laplacian.T @ laplacian
        self.smoothness = splu(csc_matrix(system))
        self.mirror = torch.from_numpy(head.mirror_vertices.astype(np.int64))
        self.corners = torch.from_numpy(head.faces[face].astype(np.int64))
        self.barycentric = torch.from_numpy(np.asarray(barycentric, np.float32))
        self.most = torch.from_numpy(_most(head).astype(np.float32))
        self.free = torch.zeros(count, requires_grad=True)

    def moved(self) -> Tensor:
        """Metres [V] along the normals, of each vertex."""
        field = _Smoothed.apply(self.free, self.smoothness)
        common = (field + field[self.mirror]) / 2
        field = SYMMETRIC * common + (1 - SYMMETRIC) * field
        least = torch.where(self.most > 0, THINNEST, 0.0)
        return torch.minimum(torch.maximum(field, least), self.most)

    def shifts(self, moved: Tensor, normals: Tensor) -> Tensor:
        """Metres [B, N, 3] that each Gaussian moves where vertices move by `moved` [V] along their
        normals [B, V, 3]: along those of its triangle neighbours would part."""
        shifts = moved[:, None] * normals
        return (shifts[:, self.corners] * self.barycentric[:, :, None]).sum(2)


def _held(head: HeadModel) -> np.ndarray:
    """1 for each vertex [V] that stays, else 0."""
    return (_most(head) == 0).astype(float)


def _most(head: HeadModel) -> np.ndarray:
    """Metres [V] that each vertex may grow: the least of the regions that meet in it."""
    limits = np.array([GROWS.get(name, 0.0) for name in head.region_names])
    most = np.full(len(head.vertices), max(limits))
    np.minimum.at(most, head.faces, limits[head.face_regions][:, None])
    return most


def _alpha(drawn: Gaussians, shifts: Tensor, cameras: Cameras, view: list[int]) -> Tensor:
    """Coverage [1, h, w] of one view's Gaussians, moved by `shifts` [1, N, 3]."""
    means = drawn.means[view] + shifts
    white = torch.ones_like(means)
    still = Gaussians(
        means, drawn.quats[view], CLOSED * drawn.scales[view], drawn.opacities[view], white
    )
    camera = cameras._replace(viewmats=cameras.viewmats[view], Ks=cameras.Ks[view])
    return rasterize(still, camera)[1][..., 0]


def _shrunk(views: Views) -> tuple[Cameras, Tensor]:
    """Cameras of small pictures and the mattes [V, SIZE, SIZE]."""
    alpha = views.pictures[..., 3][:, None]
    mattes = torch.nn.functional.interpolate(alpha, (SIZE, SIZE), mode="area")[:, 0]
    Ks = views.cameras.Ks.clone()
    Ks[:, 0] *= SIZE / views.cameras.width
    Ks[:, 1] *= SIZE / views.cameras.height
    return Cameras(views.cameras.viewmats, Ks, SIZE, SIZE), mattes
