"""What the Gaussians' points see of their own frame: the picture and its features where they fall,
and whether anything hides them. Ours; the paper leaves this to attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..feedforward.projection import project, sample, visible
from ..feedforward.surface import surface_maps
from ..feedforward.views import Views

TOLERANCE = 0.006
"""Metres behind the mesh at which a point still counts as seen."""
BUFFER = 128
"""Side of the depth buffer."""
LEAST_MATTE = 0.3
SEEN = 6
"""Numbers beside the features: colour 3, matte 1, seen 1, how directly 1."""


class Seen(NamedTuple):
    """What N points see of F frames."""

    features: Tensor  # [F, N, C + SEEN]
    colors: Tensor  # [F, N, 3] of the picture, straight
    seen: Tensor  # [F, N, 1] 1 where nothing hides the point and the picture shows the person
    facing: Tensor  # [F, N, 1] 0..1: cosine of the angle at which it is seen, 0 where it is not


class LocalFeatures:
    """Frames that points can be looked up in; holds the frames' depth buffers."""

    def __init__(self, views: Views, features: Sequence[Tensor]) -> None:
        """`features` [F, C_l, ., .] of the views' pictures."""
        self.views = views
        self.features = features
        self.planes = views.pictures.movedim(-1, 1)
        maps = surface_maps(views.vertices, views.head.faces, views.cameras, BUFFER, BUFFER)
        self.buffer = maps.buffer

    def at(self, points: Tensor, normals: Tensor) -> Seen:
        """What the frames show at their own points [F, N, 3] of the world, on a surface with unit
        normals [F, N, 3]."""
        cameras = self.views.cameras
        width, height = cameras.width, cameras.height
        pixels, depth = project(points, cameras.viewmats, cameras.Ks)
        read = [sample(plane.float(), pixels, width, height) for plane in self.features]
        picture = sample(self.planes, pixels, width, height)
        colors, matte = picture[..., :3], picture[..., 3:]
        clear = visible(pixels, depth, self.buffer, width, height, TOLERANCE)[..., None]
        seen = (clear & (matte > LEAST_MATTE)).to(matte.dtype)
        turn, shift = cameras.viewmats[:, :3, :3], cameras.viewmats[:, :3, 3:]
        rays = torch.nn.functional.normalize(points + (turn.mT @ shift).mT, dim=-1)
        facing = seen * -(rays * normals).sum(-1, keepdim=True).clamp(-1, 0)
        features = torch.cat([*read, colors, matte, seen, facing], dim=-1)
        return Seen(features, colors / matte.clamp_min(LEAST_MATTE), seen, facing)
