"""The vertices of the head at every level: where queries ask and where Gaussians live. Fixed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ...api.baked import Binding
from ...api.head import HeadModel
from ...binding import uv_tangents
from ...heads.builtin import builtin_head
from .subdivision import subdivided


class HeadVertices(nn.Module):
    """The built-in head's vertices after 0 to L - 1 subdivisions."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        head = builtin_head()
        self.levels = subdivided(head.faces, levels)
        tangents = uv_tangents(head.face_uvs)
        self.bindings = [
            Binding(level.face, level.barycentric, tangents[level.face]) for level in self.levels
        ]
        for number, level in enumerate(self.levels):
            parents = torch.from_numpy(level.parents)
            spacing = torch.from_numpy(_spacing(head, level.faces, self.bindings[number]))
            self.register_buffer(f"parents{number}", parents, persistent=False)
            self.register_buffer(f"spacing{number}", spacing, persistent=False)

    @property
    def counts(self) -> list[int]:
        """Vertices of each level."""
        return [len(level.face) for level in self.levels]

    def grown(self, values: Tensor, level: int) -> Tensor:
        """Values [..., n, D] of the vertices of the level before, with those of the new vertices
        of `level` after them: means over the edges."""
        parents = self.get_buffer(f"parents{level}")
        return torch.cat([values, values[..., parents, :].mean(-2)], dim=-2)

    def spacing(self, level: int) -> Tensor:
        """Metres [n] between neighbours."""
        return self.get_buffer(f"spacing{level}")

    def places(self, vertices: Tensor, level: int) -> Tensor:
        """Places [V, n, 3] of a level's vertices, of meshes [V, N, 3]."""
        for number in range(1, level + 1):
            vertices = self.grown(vertices, number)
        return vertices


def _spacing(head: HeadModel, faces: np.ndarray, binding: Binding) -> np.ndarray:
    """Mean length [n] in metres of the edges at each vertex."""
    corners = head.vertices[head.faces[binding.face]]
    places = np.einsum("nk,nkc->nc", binding.barycentric, corners)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    length = np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=-1)
    total = np.bincount(edges.ravel(), np.repeat(length, 2), len(places))
    number = np.bincount(edges.ravel(), minlength=len(places))
    return np.maximum(total / np.maximum(number, 1), 1e-4).astype(np.float32)
