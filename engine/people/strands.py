"""Strands: short straight pieces of hair, thread or wire, each drawn as one long Gaussian.

Free strands move with head and torso as a scarf does; rooted ones stand in the tangent frames of
the skin, so that brows and beards follow the face.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ..api.head import HeadModel, HeadParams, skin
from ..binding import SurfaceBinding


@dataclass(frozen=True)
class Strands:
    """n pieces, neutral head space (free) or tangent space (rooted); colours in linear light."""

    start: np.ndarray  # [n, 3] metres
    end: np.ndarray  # [n, 3]
    width: np.ndarray  # [n] metres, standard deviation across
    albedo: np.ndarray  # [n, 3]
    normal: np.ndarray  # [n, 3] the side that the light falls on
    shine: np.ndarray  # [n] strength of the highlight along a hair
    opacity: np.ndarray  # [n]

    def __len__(self) -> int:
        return len(self.start)


def joined(parts: list[Strands]) -> Strands:
    """Several sets as one; none is an empty set."""
    if not parts:
        zeros, zero = np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
        return Strands(zeros, zeros, zero, zeros, zeros, zero, zero)
    names = [field.name for field in fields(Strands)]
    return Strands(*(np.concatenate([getattr(part, n) for part in parts]) for n in names))


def polylines(
    points: np.ndarray,  # [S, K + 1, 3] metres
    width: np.ndarray | float,  # [S] or one, metres
    albedo: np.ndarray,  # [S, K, 3] or broadcastable
    normal: np.ndarray | tuple[float, float, float],  # [S, K, 3] or broadcastable
    shine: float = 0.0,
    opacity: float = 0.9,
) -> Strands:
    """S strands of K pieces each."""
    s, k = points.shape[0], points.shape[1] - 1
    n = s * k

    def spread(values: np.ndarray | tuple[float, float, float]) -> np.ndarray:
        return np.broadcast_to(values, (s, k, 3)).reshape(n, 3).astype(np.float32)

    return Strands(
        start=points[:, :-1].reshape(n, 3).astype(np.float32),
        end=points[:, 1:].reshape(n, 3).astype(np.float32),
        width=np.repeat(np.broadcast_to(width, s), k).astype(np.float32),
        albedo=spread(albedo),
        normal=spread(normal),
        shine=np.full(n, shine, np.float32),
        opacity=np.full(n, opacity, np.float32),
    )


def torso_share(points: np.ndarray) -> np.ndarray:
    """How much free points [..., 3] in metres stay with the torso when the neck turns, 0..1."""
    low = np.clip((-0.095 - points[..., 1]) / 0.07, 0, 1)
    return low * low * (3 - 2 * low)


def carried(points: np.ndarray, head: HeadModel, params: HeadParams) -> np.ndarray:
    """Free points [n, 3] in the world, for one pose."""
    weights = np.zeros((len(points), len(head.joint_positions)), np.float32)
    weights[:, 0] = torso_share(points)
    weights[:, 1] = 1 - weights[:, 0]
    return skin(points, head.joint_positions, weights, params)


def rooted(
    surface: SurfaceBinding, points: np.ndarray, vertices: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Tangent-space points [n, 3] on posed vertices [V, n_v, 3]: world points [V, n, 3], and the
    frames [V, n, 3, 3]."""
    frame, _, origin = surface.frames(vertices)
    world = (frame * torch.from_numpy(points)[None, :, None, :]).sum(-1) + origin
    return world.numpy(), frame.numpy()
