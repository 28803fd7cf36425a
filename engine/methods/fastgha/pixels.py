"""Per-pixel Gaussians (paper 003, 3.1): attribute maps of each view -> one set on the head.

A pixel's Gaussian lies on the pixel's ray, at the depth of the tracked mesh plus what the network
says; it is bound to the triangle that the pixel shows, or to the nearest one shown, and so needs
no canonical pose of its own: triangles carry it into any.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...api.baked import Binding
from ...binding import SurfaceBinding, uv_tangents
from ..feedforward.projection import pixel_rays
from ..feedforward.surface import SurfaceMaps
from ..feedforward.views import Views

LEAST_MATTE = 0.3
"""Of a pixel that belongs to the person: the silhouette's cut."""
REACH = 0.1
"""Metres off the mesh, along the ray, at most: hair stands off the scalp."""
FOOTPRINT = 0.6
"""First standard deviation in units of a pixel."""
LEAST_COSINE = 0.25
"""Of the angle between a surface's normal and the line of sight, where it makes Gaussians longer:
seen from the side they must close the slope that a pixel shows at a slant."""
SIZE_RANGE = 2.0
"""The log of how much larger or smaller than that a Gaussian may become."""
FIRST_OPACITY = 2.0
"""As a logit: nearly solid."""


class PixelGaussians(NamedTuple):
    """N Gaussians of the pixels that show the person."""

    binding: Binding
    raw: Tensor  # [N, 14] in tangent space
    features: Tensor  # [N, .]


def pixel_gaussians(
    attributes: Tensor, colors: Tensor, mattes: Tensor, maps: SurfaceMaps, views: Views
) -> PixelGaussians:
    """Gaussians of attribute maps [V, 12 + feature, h, w], given what each cell shows: its first
    colour [V, 3, h, w], its matte [V, h, w] and the mesh."""
    rows, columns = mattes.shape[1:]
    kept = mattes > LEAST_MATTE
    depth, color, quat, scale, opacity, feature = attributes.movedim(1, -1)[kept].split(
        (1, 3, 4, 3, 1, attributes.shape[1] - 12), dim=-1
    )
    binding = _binding(maps, kept, views)
    width, height = views.cameras.width, views.cameras.height
    rays = pixel_rays(views.cameras.Ks, width, height, rows, columns)[kept]
    distance = maps.depth[kept][:, None] + REACH * depth.tanh()
    focal = views.cameras.Ks[:, 0, 0] * columns / width
    pixel = distance.detach() / focal[kept.nonzero()[:, 0], None]  # [N, 1] metres
    means, turn, stretch = _on_surface(rays * distance, kept, binding, views)
    first = (FOOTPRINT * pixel).log() + torch.where(maps.covered[kept][:, None], stretch, 0.0)
    raw = torch.cat(
        [
            means,
            turn + quat,
            first + SIZE_RANGE * (scale / SIZE_RANGE).tanh(),
            opacity + FIRST_OPACITY,
            colors.movedim(1, -1)[kept] + color,
        ],
        dim=-1,
    )
    return PixelGaussians(binding, raw, feature)


def _binding(maps: SurfaceMaps, kept: Tensor, views: Views) -> Binding:
    face = maps.face[kept].cpu().numpy()
    barycentric = maps.barycentric[kept].cpu().numpy()
    return Binding(face.astype(np.int32), barycentric, uv_tangents(views.head.face_uvs)[face])


def _on_surface(
    seen: Tensor, kept: Tensor, binding: Binding, views: Views
) -> tuple[Tensor, Tensor, Tensor]:
    """Camera-space points [N, 3] of the kept cells in the tangent frames of the posed heads that
    the views show: offsets [N, 3], quats [N, 4] whose first axis runs down the slope away from the
    camera, and the logs [N, 3] of how much longer than wide a pixel's piece of that slope is."""
    counts = kept.flatten(1).sum(1).tolist()
    ends = np.cumsum(counts)
    parts = []
    for view, (points, end) in enumerate(zip(seen.split(counts), ends, strict=True)):
        if not len(points):
            continue
        part = slice(int(end) - len(points), int(end))
        own = Binding(binding.face[part], binding.barycentric[part], binding.tangent[part])
        surface = SurfaceBinding(own, views.head.faces).to(points.device)
        frame, _, origin = surface.frames(views.vertices[view : view + 1].float())
        camera = views.cameras.viewmats[view]
        world = (points - camera[:3, 3]) @ camera[:3, :3]
        offset = ((world - origin[0])[:, None] @ frame[0])[:, 0]
        away = torch.nn.functional.normalize(points.detach() @ camera[:3, :3], dim=-1)
        parts.append((offset, *_slope((away[:, None] @ frame[0])[:, 0])))
    offsets, quats, stretches = (torch.cat(column) for column in zip(*parts, strict=True))
    return offsets, quats, stretches


def _slope(away: Tensor) -> tuple[Tensor, Tensor]:
    """Quats [N, 4] and stretches [N, 3] of unit directions away from the camera, in tangent
    frames."""
    half = torch.atan2(away[:, 1], away[:, 0]) / 2
    nothing = torch.zeros_like(half)
    quats = torch.stack([half.cos(), nothing, nothing, half.sin()], dim=-1)
    longer = -away[:, 2].abs().clamp_min(LEAST_COSINE).log()
    return quats, torch.stack([longer, nothing, nothing], dim=-1)
