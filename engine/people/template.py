"""The built-in head covered with Gaussians: the canvas on which every person is painted."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..api.baked import Binding
from ..api.head import HeadModel
from ..binding import texel_spacing, uniform_uv_binding, uv_tangents
from ..heads.builtin import builtin_head
from ..mesh import vertex_normals

UV_SIZE = 176
"""Texels of the atlas: a Gaussian every 1.5 mm of the face, some 35 000 in all."""
OUTER = ("skin", "lips", "eyelids", "scalp", "ears", "neck")
GAP = 0.0026
"""Metres between Gaussians that the outside has everywhere, though a triangle have few texels."""
WIDEST = 0.003
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
    binding = _filled(head, uniform_uv_binding(head, UV_SIZE))
    inside = [head.region_names.index(name) for name in ("mouth", "tongue", "lips", "eyelids")]
    folded = np.isin(head.face_regions[binding.face], inside)
    spacing = texel_spacing(head, binding, UV_SIZE)
    spacing = np.where(folded, np.minimum(spacing, WIDEST), spacing)
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


def _filled(head: HeadModel, binding: Binding) -> Binding:
    """The binding, with more Gaussians on the triangles that the atlas gives too few texels."""
    corners = head.vertices[head.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1) / 2
    outer = np.isin(head.face_regions, [head.region_names.index(name) for name in OUTER])
    has = np.bincount(binding.face, minlength=len(area))
    wanted = np.ceil(area / GAP**2).astype(int) * outer
    face = np.repeat(np.arange(len(area)), np.maximum(wanted - has, 0)).astype(np.int32)
    barycentric = np.random.default_rng(0).dirichlet((1.5, 1.5, 1.5), len(face))
    return Binding(
        np.concatenate([binding.face, face]),
        np.concatenate([binding.barycentric, barycentric.astype(np.float32)]),
        np.concatenate([binding.tangent, uv_tangents(head.face_uvs)[face]]),
    )
