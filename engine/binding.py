"""Gaussians on the head's surface: where they are sampled, and how posed triangles carry them.

`SurfaceBinding` is the torch twin of `api.baked.Binding` and `api.baked.carry`, made for the fit:
frames are computed once a used triangle and gathered, and carry no gradient (RGBAvatar A.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .api.baked import Binding
from .api.head import HeadModel
from .mesh import face_areas, uv_raster
from .rotations import conjugate, multiply_quats, quat_from_matrix

FINE_REGIONS = ("eyelids", "lips")
FINER = 2
"""These regions fold and stretch several times over; a Gaussian keeps its size, so they are sampled
this much more densely, or lids would let the eye shine through when they close."""
LARGEST_STRETCH = 3.0
LINING, LINING_SPACING = "mouth", (3e-4, 4e-3)
"""The region between teeth and throat, which has next to no place in an atlas, and the least and
most distance of its Gaussians in metres."""


def uniform_uv_binding(head: HeadModel, uv_size: int) -> Binding:
    """One Gaussian per texel that the head's UV islands cover in a uv_size x uv_size raster; in
    FINE_REGIONS one per texel of a finer raster."""
    fine = _is_fine(head)
    coarse_part = _covered_texels(head, uv_size, ~fine)
    fine_part = _covered_texels(head, uv_size * FINER, fine)
    face, barycentric = (np.concatenate(both) for both in zip(coarse_part, fine_part, strict=True))
    return Binding(face, barycentric, uv_tangents(head.face_uvs)[face])


def covering(head: HeadModel, uv_size: int, order: int) -> tuple[Binding, np.ndarray]:
    """`uniform_uv_binding` and its `texel_spacing` [N], but for the mouth's lining: a few Gaussians
    as large as a cheek would shine through lips, chin and throat. See `lining` for `order`."""
    skin = uniform_uv_binding(head, uv_size)
    mouth, mouth_spacing = lining(head, order)
    outside = picked(skin, ~np.isin(skin.face, mouth.face))
    spacing = texel_spacing(head, outside, uv_size)
    return joined(outside, mouth), np.concatenate([spacing, mouth_spacing])


def lining(head: HeadModel, order: int) -> tuple[Binding, np.ndarray]:
    """Even spots on the mouth's lining, order * (order + 1) / 2 a triangle, and their distances
    [n] in metres when the mouth is open. None on a head without one."""
    first, second = np.mgrid[:order, :order][:, np.tri(order, dtype=bool)[::-1]]
    spots = np.stack([first + 0.5, second + 0.5, order - first - second], -1) / (order + 1)
    names = head.region_names
    mine = head.face_regions == (names.index(LINING) if LINING in names else len(names))
    face = np.repeat(np.flatnonzero(mine), len(spots)).astype(np.int32)
    barycentric = np.tile(spots, (int(mine.sum()), 1)).astype(np.float32)
    opened = head.vertices.copy()
    if "jawOpen" in head.expression_names:
        opened += head.expression_deltas[head.expression_names.index("jawOpen")]
    spacing = np.sqrt(face_areas(opened, head.faces)[face] / len(spots)).clip(*LINING_SPACING)
    binding = Binding(face, barycentric, uv_tangents(head.face_uvs)[face])
    return binding, spacing.astype(np.float32)


def picked(binding: Binding, index: np.ndarray) -> Binding:
    """Some Gaussians of a binding."""
    return Binding(binding.face[index], binding.barycentric[index], binding.tangent[index])


def joined(first: Binding, second: Binding) -> Binding:
    """The Gaussians of two bindings on one head, one after the other."""
    names = ("face", "barycentric", "tangent")
    return Binding(
        *(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names)
    )


def _covered_texels(
    head: HeadModel, uv_size: int, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Faces [n] int32 and barycentrics [n, 3] of the texels covered by `wanted` [F] faces."""
    face_map, barycentric_map = uv_raster(head.face_uvs, uv_size)
    covered = (face_map >= 0) & wanted[face_map]
    return face_map[covered].astype(np.int32), barycentric_map[covered].astype(np.float32)


def _is_fine(head: HeadModel) -> np.ndarray:
    names = head.region_names
    fine = [index for index, name in enumerate(names) if name in FINE_REGIONS]
    return np.isin(head.face_regions, fine)


def uv_tangents(face_uvs: np.ndarray) -> np.ndarray:
    """Unit coefficients [F, 2] of the direction t0 * edge01 + t1 * edge02 in which u grows.

    From edge = (tangent, bitangent) @ d(uv): the tangent is (dv02, -dv01) / det. A triangle without
    UV area gets its first edge.
    """
    d01 = face_uvs[:, 1] - face_uvs[:, 0]
    d02 = face_uvs[:, 2] - face_uvs[:, 0]
    det = d01[:, 0] * d02[:, 1] - d01[:, 1] * d02[:, 0]
    tangents = np.stack([d02[:, 1], -d01[:, 1]], -1) * np.sign(det)[:, None]
    length = np.linalg.norm(tangents, axis=-1, keepdims=True)
    usable = (length > 1e-12) & (det != 0)[:, None]
    fallback = np.broadcast_to(np.asarray([1, 0], np.float32), tangents.shape)
    return np.where(usable, tangents / np.maximum(length, 1e-12), fallback).astype(np.float32)


def texel_spacing(head: HeadModel, binding: Binding, uv_size: int) -> np.ndarray:
    """Distance [N] in metres between neighbouring Gaussians where an expression stretches the skin
    most: the root of a texel's surface area."""
    neutral = face_areas(head.vertices, head.faces)
    stretched = neutral
    for delta in head.expression_deltas:
        stretched = np.maximum(stretched, face_areas(head.vertices + delta, head.faces))
    area = np.minimum(stretched, neutral * LARGEST_STRETCH**2)
    uv = head.face_uvs[:, 1:] - head.face_uvs[:, :1]
    uv_area = 0.5 * np.abs(uv[:, 0, 0] * uv[:, 1, 1] - uv[:, 0, 1] * uv[:, 1, 0])
    texels = uv_size * np.where(_is_fine(head), FINER, 1)
    spacing = (np.sqrt(area / np.maximum(uv_area, 1e-12)) / texels)[binding.face]
    # A folded triangle has no area; its Gaussians still need a size.
    return np.maximum(spacing, 0.05 * np.median(spacing)).astype(np.float32)


class SurfaceBinding(nn.Module):
    """N Gaussians bound to the triangles of a head; everything it holds is fixed."""

    corners: Tensor  # [N, 3] vertex indices of each Gaussian's triangle
    barycentric: Tensor  # [N, 3]
    triangle: Tensor  # [N] index into the U used triangles
    used: Tensor  # [U, 3] vertex indices
    tangent: Tensor  # [U, 2]

    def __init__(self, binding: Binding, faces: np.ndarray) -> None:
        super().__init__()
        used, first, inverse = np.unique(binding.face, return_index=True, return_inverse=True)
        self.register_buffer("corners", torch.from_numpy(faces[binding.face].astype(np.int64)))
        self.register_buffer(
            "barycentric", torch.from_numpy(np.asarray(binding.barycentric, np.float32))
        )
        self.register_buffer("triangle", torch.from_numpy(inverse.reshape(-1)))
        self.register_buffer("used", torch.from_numpy(faces[used].astype(np.int64)))
        self.register_buffer(
            "tangent", torch.from_numpy(np.asarray(binding.tangent[first], np.float32))
        )

    def frames(self, vertices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tangent frames of posed vertices [B, V, 3]: matrices [B, N, 3, 3] with columns t, b, n,
        their quaternions [B, N, 4] and the origins [B, N, 3]."""
        triangles = vertices.index_select(1, self.used.flatten()).unflatten(1, (-1, 3))
        edge01 = triangles[:, :, 1] - triangles[:, :, 0]
        edge02 = triangles[:, :, 2] - triangles[:, :, 0]
        normal = _unit(torch.linalg.cross(edge01, edge02))
        tangent = self.tangent[:, :1] * edge01 + self.tangent[:, 1:] * edge02
        tangent = _unit(tangent - normal * (tangent * normal).sum(-1, keepdim=True))
        frame = torch.stack([tangent, torch.linalg.cross(normal, tangent), normal], dim=-1)
        quat = quat_from_matrix(frame.detach())
        corners = vertices.index_select(1, self.corners.flatten()).unflatten(1, (-1, 3))
        origin = (corners * self.barycentric[:, :, None]).sum(-2)
        return frame.index_select(1, self.triangle), quat.index_select(1, self.triangle), origin

    def carry(self, means: Tensor, quats: Tensor, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """World means [B, N, 3] and quats [B, N, 4] of tangent-space ones. The gradient by the
        vertices is that of the means: what turning the Gaussians themselves would add is small."""
        frame, quat, origin = self.frames(vertices)
        carried = _Carry.apply(means, quats, frame, quat, origin)
        return carried[0], carried[1]


class _Carry(torch.autograd.Function):
    """frame @ mean + origin and frame quat * quat. Both maps are orthogonal, so the gradient is
    their transpose: a fifth of the operations that autograd would record."""

    @staticmethod
    def forward(
        ctx: Any, means: Tensor, quats: Tensor, frame: Tensor, frame_quat: Tensor, origin: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(means, frame, frame_quat)
        ctx.shapes = means.shape, quats.shape
        return (frame * means.unsqueeze(-2)).sum(-1) + origin, multiply_quats(frame_quat, quats)

    @staticmethod
    def backward(ctx: Any, grad_means: Tensor, grad_quats: Tensor) -> tuple[Tensor | None, ...]:
        means, frame, frame_quat = ctx.saved_tensors
        moved = ctx.needs_input_grad[4]
        local_means = (frame * grad_means.unsqueeze(-1)).sum(-2)
        local_quats = multiply_quats(conjugate(frame_quat), grad_quats)
        means_shape, quats_shape = ctx.shapes
        return (
            local_means.sum_to_size(means_shape),
            local_quats.sum_to_size(quats_shape),
            grad_means.unsqueeze(-1) * means.unsqueeze(-2) if moved else None,
            None,
            grad_means if moved else None,
        )


def _unit(vectors: Tensor) -> Tensor:
    # A degenerate triangle gives a zero vector, never NaN.
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(1e-12)
