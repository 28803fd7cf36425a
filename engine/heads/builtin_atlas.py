"""The atlas of the built-in head: its islands, and the unwrapping of the face.

One Gaussian is placed per texel, so an island's size is how much detail its part deserves.
"""

from __future__ import annotations

import numpy as np

from . import landmarks as lm
from .builtin_proportions import EYE_CENTRE, EYE_RADIUS
from .surface import Rectangle, Surface

# Islands u0, v0, u1, v1. The face's holds the lids, the lips and the mouth's inside too.
FACE_BOX: Rectangle = (0.003, 0.383, 0.617, 0.997)
SKULL_BOX: Rectangle = (0.623, 0.623, 0.997, 0.997)
EAR_BOXES: tuple[Rectangle, Rectangle] = (  # right, left
    (0.623, 0.457, 0.807, 0.617),
    (0.813, 0.457, 0.997, 0.617),
)
EYE_BOXES: tuple[Rectangle, Rectangle] = (
    (0.623, 0.271, 0.807, 0.451),
    (0.813, 0.271, 0.997, 0.451),
)
UPPER_TEETH_BOX: Rectangle = (0.623, 0.165, 0.997, 0.265)
LOWER_TEETH_BOX: Rectangle = (0.623, 0.075, 0.997, 0.159)
TONGUE_BOX: Rectangle = (0.623, 0.003, 0.997, 0.069)
NECK_BOX: Rectangle = (0.003, 0.203, 0.617, 0.377)
SHOULDER_BOX: Rectangle = (0.003, 0.003, 0.617, 0.197)

ROUNDS = 25


def unwrap_front(surface: Surface) -> None:
    """UVs of everything so far: springs in a rounded square, injective by Tutte's theorem.

    Springs are re-tuned until each edge is about as long as its length in space times the density
    its place deserves; strengths stay positive, which is all that the theorem asks.
    """
    points = np.concatenate([*surface.points, _eye_hubs()])
    edges = _front_edges(surface)
    density = _front_density(surface, points)
    wanted = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    wanted = np.maximum(wanted, 0.5) * np.sqrt(density[edges].prod(1))
    oval = np.array(lm.FACE_OVAL)
    placed = _rounded_square(points[oval])
    strength = np.ones(len(edges))
    for _ in range(ROUNDS):
        uvs = _embed(edges, strength, len(points), oval, placed)
        ratio = np.linalg.norm(uvs[edges[:, 0]] - uvs[edges[:, 1]], axis=1) / wanted
        strength *= np.clip(ratio / np.median(ratio), 0.5, 2.0) ** 0.7
        strength = np.clip(strength, 1e-4, 1e4)
    uvs = _embed(edges, strength, len(points), oval, placed)
    low, high = np.array(FACE_BOX[:2]), np.array(FACE_BOX[2:])
    uvs = low + (uvs + 1) / 2 * (high - low)
    surface.uvs = [uvs[part] for part in surface.faces]


def _eye_hubs() -> np.ndarray:
    """A hub [2, 3] in each eye (left, right) that holds its opening open in the atlas."""
    hub = EYE_CENTRE + (0, 0, EYE_RADIUS)
    return np.stack([hub, hub * (-1, 1, 1)])


def _front_edges(surface: Surface) -> np.ndarray:
    """Edges [n, 2] of the triangles so far, and from the hubs to the lids' rims."""
    faces = np.concatenate(surface.faces)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    for hub, side in ((0, "left"), (1, "right")):
        rim = surface.parts[f"lid_rim_{side}"]
        edges = np.concatenate([edges, np.stack([np.full_like(rim, surface.count + hub), rim], 1)])
    return np.unique(np.sort(edges, axis=1), axis=0)


def _front_density(surface: Surface, points: np.ndarray) -> np.ndarray:
    """How much longer than elsewhere an edge should be in the atlas, per point [n]."""
    density = np.ones(len(points))
    for loop, radius, gain in (
        (lm.LIDS_LEFT, 11.0, 3.0),
        (lm.LIDS_RIGHT, 11.0, 3.0),
        (lm.LIPS_FRONT, 11.0, 6.0),
    ):
        ring = points[list(loop)]
        distance = np.linalg.norm(points[:, None] - ring[None], axis=-1).min(1)
        density += gain * np.exp(-((distance / radius) ** 2))
    for depth, gain in ((1, 1.5), (2, 0.8), (3, 0.4), (4, 0.3)):
        density[surface.parts[f"mouth_{depth}"]] = gain
    density[surface.parts["mouth_cap"]] = 0.3
    density[-2:] = 0.2
    return density


def _embed(
    edges: np.ndarray, strength: np.ndarray, count: int, rim: np.ndarray, placed: np.ndarray
) -> np.ndarray:
    """Rest positions [count, 2] of points joined by springs when those of `rim` are at `placed`."""
    laplacian = np.zeros((count, count))
    laplacian[edges[:, 0], edges[:, 1]] = laplacian[edges[:, 1], edges[:, 0]] = -strength
    np.fill_diagonal(laplacian, -laplacian.sum(1))
    free = np.setdiff1d(np.arange(count), rim)
    uvs = np.zeros((count, 2))
    uvs[rim] = placed
    known = laplacian[np.ix_(free, rim)] @ placed
    uvs[free] = np.linalg.solve(laplacian[np.ix_(free, free)], -known)
    return uvs


def _rounded_square(oval: np.ndarray) -> np.ndarray:
    """Places [36, 2] in -1..1 of the face oval's points by their share of its length."""
    step = np.linalg.norm(np.diff(oval, axis=0, append=oval[:1]), axis=1)
    half = np.concatenate([[0], np.cumsum(step[:18])]) / step[:18].sum()
    angle = np.pi * np.concatenate([half, 2 - half[17:0:-1]])
    direction = np.stack([np.sin(angle), np.cos(angle)], -1)
    # Exponent 8: nearly square, still strictly convex.
    return direction / (np.abs(direction) ** 8).sum(-1, keepdims=True) ** (1 / 8)
