"""The built-in head covered with Gaussians: the canvas on which every person is painted."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..api.baked import Binding
from ..api.head import HeadModel
from ..binding import texel_spacing, uniform_uv_binding
from ..heads.builtin import builtin_head
from ..mesh import vertex_normals

UV_SIZE = 176
"""Texels of the atlas: a Gaussian every 1.5 mm of the face, some 35 000 in all."""
WIDEST = 0.005
"""Metres between Gaussians at most: what the mouth stretches far must not show behind the head."""


class Template(NamedTuple):
    """N surface Gaussians on the neutral template, all fixed."""

    head: HeadModel
    binding: Binding
    spacing: np.ndarray  # [N] metres
    points: np.ndarray  # [N, 3] millimetres
    normals: np.ndarray  # [N, 3]
    region: np.ndarray  # [N] index into the head's region_names

    def of(self, *names: str) -> np.ndarray:
        """Which Gaussians [N] lie in the named regions."""
        return np.isin(self.region, [self.head.region_names.index(name) for name in names])

    def interpolated(self, values: np.ndarray) -> np.ndarray:
        """Values [..., V, D] of the head's vertices at the Gaussians [..., N, D]."""
        corners = self.head.faces[self.binding.face]
        return sum(
            self.binding.barycentric[:, k, None] * values[..., corners[:, k], :] for k in range(3)
        )


@lru_cache(maxsize=1)
def template() -> Template:
    """The canvas; the same object on every call: do not change it."""
    head = builtin_head()
    binding = uniform_uv_binding(head, UV_SIZE)
    spacing = np.minimum(texel_spacing(head, binding, UV_SIZE), WIDEST)
    normals = vertex_normals(head.vertices, head.faces)
    corners = head.faces[binding.face]
    weights = binding.barycentric[..., None]
    return Template(
        head=head,
        binding=binding,
        spacing=spacing,
        points=(head.vertices[corners] * weights).sum(1) * 1000,
        normals=(normals[corners] * weights).sum(1),
        region=head.face_regions[binding.face],
    )
