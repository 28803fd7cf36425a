"""`BakedAvatar.evaluate` again, fast enough for playback: what a pose does not change is kept.

The twin that tests trust is `engine.api.baked`. NumPy only; it knows no Blender.
"""

from __future__ import annotations

import numpy as np

from ..engine.api.baked import COLORS, MEANS, OPACITY, QUATS, SCALES, BakedAvatar, GaussianArrays
from ..engine.api.rotations import matrix_from_quat, multiply_quats, quat_from_matrix

_IDLE_WEIGHT = 1e-6  # a blendshape below this moves nothing that could be seen


class Carrier:
    """One avatar at one level of detail, prepared to be carried by posed head vertices."""

    def __init__(self, avatar: BakedAvatar, count: int) -> None:
        used, triangle = np.unique(avatar.binding.face[:count], return_inverse=True)
        self.avatar = avatar
        self.count = count
        self._triangle = triangle.astype(np.intp)  # [n] into the used triangles
        self._used = avatar.head.faces[used]  # [U, 3] vertices
        self._first = np.zeros((len(used), 2), np.float32)
        self._first[self._triangle] = avatar.binding.tangent[:count]
        self._barycentric = avatar.binding.barycentric[:count].astype(np.float32)
        self._base = avatar.base[:count].astype(np.float32)
        deltas = avatar.deltas[:, :count].astype(np.float32)
        self._deltas = deltas.reshape(len(deltas), -1)  # [K, n * 14]

    def local(self, weights: np.ndarray) -> np.ndarray:
        """Raw Gaussians [n, 14] in tangent space for reduced weights [K]; idle ones cost nothing."""
        active = np.flatnonzero(np.abs(weights) > _IDLE_WEIGHT)
        if not len(active):
            return self._base
        # A matrix product over all rows beats gathering unless few of them are active.
        few = len(active) * 3 < len(weights)
        rows = self._deltas[active] if few else self._deltas
        moved = weights[active if few else slice(None)].astype(np.float32) @ rows
        return self._base + moved.reshape(self._base.shape)

    def carry(self, weights: np.ndarray, vertices: np.ndarray) -> GaussianArrays:
        """Gaussians carried by posed vertices [V, 3], in the vertices' space."""
        raw = self.local(weights)
        corners = vertices[self._used]  # [U, 3, 3]
        frames = _tangent_frames(corners, self._first)
        rows = corners[self._triangle]  # [n, 3 corners, 3]
        means = np.matmul(self._barycentric[:, None], rows)[:, 0]
        means += np.matmul(frames[self._triangle], raw[:, MEANS, None])[..., 0]
        quats = multiply_quats(quat_from_matrix(frames)[self._triangle], raw[:, QUATS])
        quats /= np.sqrt(np.einsum("nk,nk->n", quats, quats))[:, None]
        return GaussianArrays(
            means=means,
            quats=quats,
            scales=np.exp(raw[:, SCALES]),
            opacities=1 / (1 + np.exp(-raw[:, OPACITY])),
            colors=raw[:, COLORS],
        )


def _tangent_frames(corners: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Orthonormal frames [U, 3, 3] (columns t, b, n) of triangles [U, 3, 3] as in `Binding.frames`."""
    edge01 = corners[:, 1] - corners[:, 0]
    edge02 = corners[:, 2] - corners[:, 0]
    normal = _unit(np.cross(edge01, edge02))
    tangent = first[:, :1] * edge01 + first[:, 1:] * edge02
    tangent = _unit(tangent - normal * np.einsum("uk,uk->u", tangent, normal)[:, None])
    return np.stack([tangent, np.cross(normal, tangent), normal], axis=-1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    # A degenerate triangle gives a zero vector, never NaN.
    lengths = np.sqrt(np.einsum("uk,uk->u", vectors, vectors))
    return vectors / np.maximum(lengths, 1e-12)[:, None]


def transform(gaussians: GaussianArrays, matrix: np.ndarray) -> GaussianArrays:
    """Gaussians under an affine matrix [4, 4]; a stretched or mirrored object stretches them too."""
    linear = matrix[:3, :3].astype(np.float32)
    means = gaussians.means @ linear.T + matrix[:3, 3].astype(np.float32)
    size = np.cbrt(np.linalg.det(linear))
    rotation = linear / size  # a mirroring -R gives R: a Gaussian is its own mirror image
    if np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-4):
        quats = multiply_quats(quat_from_matrix(rotation), gaussians.quats)
        return gaussians._replace(means=means, quats=quats, scales=gaussians.scales * abs(size))
    stretched = linear @ (matrix_from_quat(gaussians.quats) * gaussians.scales[:, None])
    variances, axes = np.linalg.eigh(stretched @ stretched.swapaxes(-1, -2))
    axes[..., 0] *= np.linalg.det(axes)[:, None]  # right-handed
    scales = np.sqrt(np.maximum(variances, 0))
    return gaussians._replace(means=means, quats=quat_from_matrix(axes), scales=scales)
