"""FlashAvatar's offset network (paper 001 eq. 5): place on the head, expression code -> offset.

The network is smooth over the surface, its encoding's shortest wave is 5 cm, so it need not be
asked at every Gaussian: it can be asked on a coarser UV lattice, and Gaussians read between the
points. As in RGBAvatar here, a point of a face part sees only the code that drives that part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.spatial import cKDTree
from torch import Tensor, nn

from .api.baked import Binding
from .api.head import HeadModel
from .binding import uniform_uv_binding
from .face_parts import FaceParts
from .networks import CodeStatistics

FREQUENCIES = 8
"""Of the positional encoding, 2^0 to 2^7 radians per metre, as in the paper's code."""
OUTPUTS = 10
"""Mean 3, quat 4, log scale 3."""
JAW_OPEN = 0.6
"""How far the canonical head opens its mouth: closed, both lips would be one place."""
READ_FROM = 4
"""Lattice points that a Gaussian reads."""


@dataclass(frozen=True)
class Places:
    """The P points at which the network is asked, and how N Gaussians read them."""

    position: np.ndarray  # [P, 3] metres, on the canonical head
    part: np.ndarray  # [P] index of the face part whose code the point sees
    driven_by: np.ndarray  # [G, C] bool: the code numbers of each part
    reading: coo_matrix  # [N, P]: reach of the part times share of the point


def places(head: HeadModel, binding: Binding, parts: FaceParts, lattice_uv: int) -> Places:
    """The points of a lattice_uv x lattice_uv UV raster, or the Gaussians themselves for 0, once
    for each face part that is felt there."""
    points = uniform_uv_binding(head, lattice_uv) if lattice_uv else binding
    near, share = _nearest_points(head, binding, points, READ_FROM if lattice_uv else 1)
    rows, keys, values = [], [], []
    for part, support in enumerate(parts.support):
        reached = np.flatnonzero(support > 0)
        rows.append(np.repeat(reached, near.shape[1]))
        keys.append(near[reached].ravel() + part * len(points.face))
        values.append((support[reached, None] * share[reached]).ravel())
    used, column = np.unique(np.concatenate(keys), return_inverse=True)
    entries = np.concatenate(values), (np.concatenate(rows), column.reshape(-1))
    part_of, point_of = np.divmod(used, len(points.face))
    return Places(
        position=canonical_positions(head, points)[point_of],
        part=part_of,
        driven_by=parts.driven_by,
        reading=coo_matrix(entries, (len(binding.face), len(used))),
    )


def canonical_positions(head: HeadModel, binding: Binding) -> np.ndarray:
    """Points [N, 3] of a binding on the neutral head with its mouth open."""
    vertices = head.vertices
    if "jawOpen" in head.expression_names:
        delta = head.expression_deltas[head.expression_names.index("jawOpen")]
        vertices = vertices + JAW_OPEN * delta
    corners = vertices[head.faces[binding.face]]
    return np.einsum("nk,nkc->nc", binding.barycentric, corners).astype(np.float32)


def _nearest_points(
    head: HeadModel, binding: Binding, points: Binding, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and shares [N, count] of the points nearest in UV to each Gaussian, of its region:
    what is near in space may belong to the other lip."""
    if count == 1:
        return np.arange(len(binding.face))[:, None], np.ones((len(binding.face), 1), np.float32)
    place, lattice = _uv(head, binding), _uv(head, points)
    region, lattice_region = head.face_regions[binding.face], head.face_regions[points.face]
    index = np.zeros((len(place), count), np.int64)
    distance = np.zeros((len(place), count))
    for one in np.unique(region):
        candidates = np.flatnonzero(lattice_region == one)
        if len(candidates) < count:
            candidates = np.arange(len(lattice))
        wanted = region == one
        distance[wanted], found = cKDTree(lattice[candidates]).query(place[wanted], k=count)
        index[wanted] = candidates[found]
    share = 1 / (distance**2 + 1e-8)
    return index, (share / share.sum(1, keepdims=True)).astype(np.float32)


def _uv(head: HeadModel, binding: Binding) -> np.ndarray:
    return np.einsum("nk,nkc->nc", binding.barycentric, head.face_uvs[binding.face])


class OffsetNetwork(nn.Module):
    """F of FlashAvatar eq. 5 at the points of `Places`, read by the Gaussians."""

    low: Tensor
    high: Tensor
    mean: Tensor
    spread: Tensor
    part: Tensor  # [P]
    driven_by: Tensor  # [G, C]
    place: Tensor  # [P, .] encoded position and part
    reading: Tensor  # [N, P] sparse
    reading_back: Tensor  # its transpose

    def __init__(
        self,
        statistics: CodeStatistics,
        where: Places,
        width: int,
        depth: int,
        generator: torch.Generator,
    ) -> None:
        """`depth` hidden layers of `width` units."""
        super().__init__()
        for name in ("low", "high", "mean", "spread"):
            self.register_buffer(name, torch.from_numpy(getattr(statistics, name).copy()))
        parts, codes = where.driven_by.shape
        self.register_buffer("part", torch.from_numpy(where.part))
        self.register_buffer("driven_by", torch.from_numpy(where.driven_by.astype(np.float32)))
        encoded = positional_encoding(torch.from_numpy(where.position))
        one_hot = nn.functional.one_hot(self.part, parts).float()
        self.register_buffer("place", torch.cat([encoded, one_hot], dim=-1))
        self.register_buffer("reading", _sparse(where.reading), persistent=False)
        self.register_buffer("reading_back", _sparse(where.reading.T), persistent=False)
        self.place_layer = _linear(self.place.shape[1], width, generator)
        self.code_layer = _linear(codes, width, generator)
        self.hidden = nn.ModuleList(_linear(width, width, generator) for _ in range(depth - 1))
        self.last = _linear(width, OUTPUTS, generator)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, codes: Tensor) -> Tensor:
        """Offsets [B, P, 10] in -1..1 at the points, of codes [B, C]."""
        seen = (codes.clamp(self.low, self.high) - self.mean) / self.spread
        # The first layer is a sum of what the place says and what each part's code says.
        by_part = self.code_layer(seen[:, None] * self.driven_by)  # [B, G, W]
        hidden = (self.place_layer(self.place) + by_part.index_select(1, self.part)).relu()
        for layer in self.hidden:
            hidden = layer(hidden).relu()
        return self.last(hidden).tanh()

    def read(self, at_points: Tensor) -> Tensor:
        """Offsets [B, N, 10] of the Gaussians from those at the points [B, P, 10]."""
        batch, points, outputs = at_points.shape
        table = at_points.transpose(0, 1).reshape(points, batch * outputs)
        read = _SparseProduct.apply(self.reading, self.reading_back, table)
        return read.view(-1, batch, outputs).transpose(0, 1)


def positional_encoding(position: Tensor) -> Tensor:
    """Position [P, 3] in metres, its sines and its cosines [P, 3 + 6 x FREQUENCIES] (NeRF)."""
    angles = (position[:, None] * 2.0 ** torch.arange(FREQUENCIES)[:, None]).flatten(1)
    return torch.cat([position, angles.sin(), angles.cos()], dim=-1)


class _SparseProduct(torch.autograd.Function):
    """matrix @ table; the gradient needs the transpose, which is kept at hand."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, table: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ table

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.transposed @ gradient.contiguous()


def _sparse(matrix: coo_matrix) -> Tensor:
    place = torch.from_numpy(np.stack([matrix.row, matrix.col]).astype(np.int64))
    values = torch.from_numpy(matrix.data.astype(np.float32))
    return torch.sparse_coo_tensor(place, values, matrix.shape, check_invariants=True).coalesce()


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with torch's usual start, from the fit's own random numbers."""
    layer = nn.Linear(inputs, outputs)
    bound = inputs**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
