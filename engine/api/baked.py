"""The baked avatar: what every method ends in and all that Blender knows. NumPy only.

posed = activate(base + sum_k psi_k delta_k), carried by the proxy head's triangles; psi = F(code)
(RGBAvatar eq. 1 and 2). `BakedAvatar.evaluate` is the one truth of that equation outside training.
It does not know how an avatar is stored (avatar_file), drawn, or fitted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .head import HeadModel, HeadParams
from .rotations import multiply_quats, quat_from_matrix

# Columns of the raw (pre-activation) block [..., N, 11 + D].
MEANS, QUATS, SCALES, OPACITY, COLORS = slice(0, 3), slice(3, 7), slice(7, 10), 10, slice(11, None)


class GaussianArrays(NamedTuple):
    """Activated Gaussians as NumPy arrays, gsplat's names."""

    means: np.ndarray  # [..., N, 3] metres
    quats: np.ndarray  # [..., N, 4] w, x, y, z, unit
    scales: np.ndarray  # [..., N, 3] metres, standard deviations
    opacities: np.ndarray  # [..., N] 0..1
    colors: np.ndarray  # [..., N, D] display-referred sRGB, may leave 0..1 slightly


@dataclass(frozen=True)
class Binding:
    """Where each Gaussian lives on the head: a triangle, a point in it, and its tangent frame.

    Stored with the avatar and never recomputed (facts A.1): sampling differs between devices.
    """

    face: np.ndarray  # [N] int32 triangle of the head
    barycentric: np.ndarray  # [N, 3]
    tangent: np.ndarray  # [N, 2]: tangent = t0 * edge01 + t1 * edge02, made orthonormal

    def frames(self, faces: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Orthonormal tangent frames [..., N, 3, 3] (columns t, b, n) and origins [..., N, 3]."""
        used, inverse = np.unique(self.face, return_inverse=True)
        triangles = vertices[..., faces[used], :]
        edge01 = triangles[..., 1, :] - triangles[..., 0, :]
        edge02 = triangles[..., 2, :] - triangles[..., 0, :]
        first = np.zeros((len(used), 2), self.tangent.dtype)
        first[inverse] = self.tangent  # one tangent per triangle
        normal = _unit(np.cross(edge01, edge02))
        tangent = first[:, :1] * edge01 + first[:, 1:] * edge02
        tangent = _unit(tangent - normal * np.sum(tangent * normal, -1, keepdims=True))
        frame = np.stack([tangent, np.cross(normal, tangent), normal], axis=-1)
        corners = triangles[..., inverse, :, :]
        return frame[..., inverse, :, :], np.einsum("nk,...nkc->...nc", self.barycentric, corners)


def _unit(vectors: np.ndarray) -> np.ndarray:
    # A degenerate triangle gives a zero vector, never NaN (facts/blender.md 2).
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class WeightMap:
    """F: expression code [..., C] -> reduced blendshape weights [..., K]. ReLU between the layers.

    The last layer is scaled so that weights seen in the footage lie within about -1..1.
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]  # (weight [out, in], bias [out]) each

    def __call__(self, code: np.ndarray) -> np.ndarray:
        hidden = np.asarray(code, np.float32)
        for index, (weight, bias) in enumerate(self.layers):
            hidden = hidden @ weight.T + bias
            if index + 1 < len(self.layers):
                hidden = np.maximum(hidden, 0)
        return hidden


@dataclass(frozen=True)
class Performance:
    """The performance tracked in the footage, T frames, and the camera that filmed it."""

    params: HeadParams  # leading axis T
    times: np.ndarray  # [T] seconds from the start of the footage
    confidence: np.ndarray  # [T] 0 lost .. 1 sure
    viewmat: np.ndarray  # [4, 4] world to camera, OpenCV
    K: np.ndarray  # [3, 3] pixels, of the head crop
    width: int
    height: int
    fps: float
    # Frames that were never trained on.
    test_frames: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))


@dataclass(frozen=True)
class BakedAvatar:
    """N Gaussians ordered by importance, so that a level of detail is a prefix; K blendshapes."""

    name: str
    head: HeadModel  # personalised
    binding: Binding
    base: np.ndarray  # [N, 14] raw
    deltas: np.ndarray  # [K, N, 14] raw
    weight_map: WeightMap  # code -> K
    levels: tuple[int, ...]  # Gaussian counts of the levels of detail, descending, first = N
    performance: Performance
    info: dict[str, Any]  # method, settings, bake_error, metrics, provenance, tool_version
    # Raw [n, 14] each: what levels 1, 2, ... add to their prefix of the base, so that the Gaussians
    # that stay stand in for those left out; empty where they add nothing.
    level_offsets: tuple[np.ndarray, ...] = ()

    @property
    def count(self) -> int:
        return len(self.base)

    def weights(self, params: HeadParams) -> np.ndarray:
        """Reduced blendshape weights [..., K] of the pose, before any slider is added."""
        return self.weight_map(self.head.code(params))

    def base_of(self, count: int) -> np.ndarray:
        """The first `count` base Gaussians [n, 14], as the level of so many has them."""
        prefix = self.base[:count]
        if not self.level_offsets or count not in self.levels[1:]:
            return prefix
        return prefix + self.level_offsets[self.levels.index(count) - 1]

    def local(self, weights: np.ndarray, count: int | None = None) -> np.ndarray:
        """Raw Gaussians [..., n, 14] in tangent space for reduced weights [..., K]."""
        n = count or self.count
        base = self.base_of(n)
        if not len(self.deltas):
            return np.broadcast_to(base, (*np.shape(weights)[:-1], *base.shape))
        return base + np.tensordot(weights, self.deltas[:, :n], axes=1)

    def evaluate(
        self, weights: np.ndarray, vertices: np.ndarray, count: int | None = None
    ) -> GaussianArrays:
        """Gaussians carried by posed head vertices [..., V, 3], in the vertices' space."""
        n = count or self.count
        return carry(self.local(weights, n), self.binding, self.head.faces, vertices)

    def pose(self, params: HeadParams, count: int | None = None) -> GaussianArrays:
        """Gaussians of a pose in the world."""
        return self.evaluate(self.weights(params), self.head.pose(params), count)


def carry(
    raw: np.ndarray, binding: Binding, faces: np.ndarray, vertices: np.ndarray
) -> GaussianArrays:
    """Activate raw tangent-space Gaussians [..., n, 14] and carry them to the posed triangles."""
    n = raw.shape[-2]
    prefix = Binding(binding.face[:n], binding.barycentric[:n], binding.tangent[:n])
    frame, origin = prefix.frames(faces, vertices)
    means = np.einsum("...nij,...nj->...ni", frame, raw[..., MEANS]) + origin
    quats = multiply_quats(quat_from_matrix(frame), raw[..., QUATS])
    return GaussianArrays(
        means=means,
        quats=quats / np.linalg.norm(quats, axis=-1, keepdims=True),
        scales=np.exp(raw[..., SCALES]),
        opacities=1 / (1 + np.exp(-raw[..., OPACITY])),
        colors=raw[..., COLORS],
    )
