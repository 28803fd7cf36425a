"""What the head's mesh does not cover, shoulders and hair, as Gaussians on an image-aligned plane
(paper 004, 3.3): the mask is the matte without the depth buffer's (4.1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from ...api.baked import Binding
from ...binding import SurfaceBinding, uv_tangents
from ..feedforward.layers import ResidualConvolution, quiet_start
from ..feedforward.projection import pixel_rays
from ..feedforward.surface import SurfaceMaps
from ..feedforward.views import Views
from ..regression.sheet import CARRIES, THIRD
from .gaussian_networks import Attributes

REACH = 0.15
"""Metres that a point may leave the plane, along its ray."""
SOLID = 0.5


class Plane(NamedTuple):
    """n points of the first view."""

    binding: Binding
    raw: Tensor  # [n, 14] in tangent space
    features: Tensor  # [n, channels - 3]


class Shoulders(nn.Module):
    """Points for the cells of the local features."""

    def __init__(self, width: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.convolution = ResidualConvolution(width)
        self.depth = nn.Conv2d(width, 1, 3, padding=1)
        self.attributes = Attributes(width, hidden, channels)
        quiet_start(self.depth)

    def forward(self, local: Tensor, views: Views, maps: SurfaceMaps) -> Plane | None:
        """The points of the first view, from its local features [1, width, h, w]; None where the
        mesh covers all of the matte."""
        rows, columns = local.shape[-2:]
        picture = nn.functional.interpolate(
            views.pictures[:1].movedim(-1, 1), (rows, columns), mode="area"
        )[0]
        kept = (picture[3] > SOLID) & ~maps.covered[0]
        if not kept.any():
            return None
        planes = self.convolution(local)
        width, height = views.cameras.width, views.cameras.height
        rays = pixel_rays(views.cameras.Ks[:1], width, height, rows, columns)[0][kept]
        # Eq. 10: from the plane through the head, along the ray.
        plane = maps.depth[0][maps.covered[0]].mean()
        offset = 2 * self.depth(planes)[0, 0][kept].float().sigmoid() - 1
        depth = plane + REACH * offset
        cell = depth.detach() / views.cameras.Ks[0, 0, 0] * (width / columns)
        seen = (picture[:3] / picture[3:].clamp_min(1e-3))[:, kept].T
        features = planes[0][:, kept].T
        raw, more = self.attributes(features, cell, seen, torch.ones_like(depth))
        binding, local_means = _bound(rays * depth[:, None], views)
        return Plane(binding, torch.cat([local_means, raw], dim=-1), more)


def _bound(points: Tensor, views: Views) -> tuple[Binding, Tensor]:
    """A binding of the first view's camera-space points [n, 3] to the nearest triangles of scalp,
    neck and shoulders, and the points in their tangent frames."""
    head, viewmat = views.head, views.cameras.viewmats[0]
    world = (points - viewmat[:3, 3]) @ viewmat[:3, :3]
    names = [index for index, name in enumerate(head.region_names) if name in CARRIES]
    faces = np.flatnonzero(np.isin(head.face_regions, names))
    vertices = views.vertices[0].detach().float()
    centres = vertices.cpu().numpy()[head.faces[faces]].mean(1)
    face = faces[cKDTree(centres).query(world.detach().cpu().numpy())[1]].astype(np.int32)
    thirds = np.full((len(face), 3), THIRD)
    binding = Binding(face, thirds, uv_tangents(head.face_uvs)[face])
    surface = SurfaceBinding(binding, head.faces).to(points.device)
    frame, _, origin = surface.frames(vertices[None])
    return binding, ((world - origin[0])[:, None] @ frame[0])[:, 0]
