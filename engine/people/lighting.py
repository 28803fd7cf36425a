"""Light from all around: which directions each place of a head sees, and what comes from them.

Precomputed radiance transfer (Sloan et al. 2002) with plain directions instead of harmonics: the
light of an area is the sum over directions of radiance, visibility and the wrapped cosine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..api.head import HeadModel
from ..heads.builtin import builtin_head
from ..mesh import raster_mesh, vertex_normals
from .noise import smoothstep

DIRECTIONS = 80
BIAS = 0.004  # metres that a place may lie behind what is seen there
WRAP = np.array([0.30, 0.14, 0.10])  # red light wanders farthest under the skin
BUFFER, SPAN = 160, 0.52  # pixels and metres of the shadow buffers
INNER = ("mouth", "teeth", "tongue")


@dataclass(frozen=True)
class Light:
    """One surrounding, in the torso's axes."""

    radiance: np.ndarray  # [D, 3] of the DIRECTIONS
    key: np.ndarray  # [3] unit, towards the strongest light
    key_colour: np.ndarray  # [3]


@lru_cache(maxsize=1)
def directions() -> np.ndarray:
    """Unit vectors [D, 3] spread evenly over the sphere (Fibonacci)."""
    k = np.arange(DIRECTIONS) + 0.5
    y = 1 - 2 * k / DIRECTIONS
    angle = np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - y**2)
    return np.stack([ring * np.cos(angle), y, ring * np.sin(angle)], 1).astype(np.float32)


@lru_cache(maxsize=1)
def visibility() -> np.ndarray:
    """Whether each vertex of the neutral built-in head sees each direction [V, D], smoothed."""
    head = builtin_head()
    centre = np.array([0, -0.06, -0.02])
    seen = np.zeros((len(head.vertices), DIRECTIONS), np.float32)
    for column, direction in enumerate(directions()):
        side = np.cross(direction, (0, 1, 0) if abs(direction[1]) < 0.9 else (1, 0, 0))
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(direction, side), -direction])
        place = (head.vertices - centre) @ axes.T
        pixels = np.concatenate([place[:, :2] / SPAN * BUFFER + BUFFER / 2, place[:, 2:] + 1], 1)
        depth, _, _ = raster_mesh(pixels, head.faces, BUFFER, BUFFER)
        x, y = np.clip(pixels[:, :2].astype(int), 0, BUFFER - 1).T
        seen[:, column] = pixels[:, 2] <= depth[y, x] + BIAS
    return _smoothed(seen, head)


def _smoothed(values: np.ndarray, head: HeadModel) -> np.ndarray:
    """Values [V, D] averaged with their neighbours over the mesh, twice."""
    for _ in range(2):
        total, count = values.copy(), np.ones((len(values), 1), np.float32)
        for corner in range(3):
            for other in (1, 2):
                to, origin = head.faces[:, corner], head.faces[:, (corner + other) % 3]
                np.add.at(total, to, values[origin])
                np.add.at(count, to, 1)
        values = total / count
    return values


def draw_light(rng: np.random.Generator) -> Light:
    """A key light of any size and side, a sky, a floor, sometimes a rim light from behind."""
    towards = directions()
    warm = rng.normal(0.02, 0.06)
    key = _towards(np.radians(rng.normal(0, 45)), np.radians(rng.uniform(0, 60)))
    key_colour = np.array([1 + warm, 1.0, 1 - warm]) * 1.0
    lobe = np.exp(rng.uniform(0.3, 6) * ((towards @ key) - 1))
    lobe = lobe / (lobe * np.clip(towards @ key, 0, None)).mean()
    sky = smoothstep(towards[:, 1], -0.6, 0.8) * rng.uniform(0.8, 1.6)
    floor = smoothstep(-towards[:, 1], 0.0, 1.0) * rng.uniform(0.1, 0.8)
    cool = np.array([1 - 0.4 * warm, 1.0, 1 + 0.5 * warm])
    contrast = rng.uniform(0.2, 0.85)
    radiance = contrast * lobe[:, None] * key_colour * 0.9
    radiance = radiance + (1 - contrast) * (sky + floor)[:, None] * cool * 2
    if rng.uniform() < 0.35:
        rim = _towards(np.radians(rng.choice([-1, 1]) * rng.uniform(110, 160)), np.radians(20))
        radiance = radiance + rng.uniform(0.3, 1.5) * np.exp(6 * (towards @ rim - 1))[:, None] * 2
    front = np.clip(towards @ _towards(0, 0.2), 0, None)
    mean = (radiance * front[:, None]).mean() / front.mean()
    exposure = rng.uniform(0.8, 1.2) / mean
    return Light((radiance * exposure).astype(np.float32), key, key_colour * contrast * exposure)


def _towards(azimuth: float, elevation: float) -> np.ndarray:
    """A unit vector; azimuth 0 is before the face."""
    flat = np.cos(elevation)
    return np.array([np.sin(azimuth) * flat, np.sin(elevation), np.cos(azimuth) * flat])


def lit_vertices(light: Light, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Light [V, n, 3] that falls on vertices [V, n, 3] in torso axes, shadows of the neutral head
    included."""
    normals = vertex_normals(vertices, faces)
    sight = visibility()
    cosine = normals @ directions().T  # [V, n, D]
    planes = []
    for channel in range(3):
        wrapped = np.clip(cosine + WRAP[channel], 0, None) / (1 + WRAP[channel]) ** 2
        planes.append((wrapped * sight) @ light.radiance[:, channel])
    return np.stack(planes, -1) * (4 / DIRECTIONS)


def lit_normals(light: Light, normals: np.ndarray) -> np.ndarray:
    """Light [..., 3] on unshadowed places with normals [..., 3] in torso axes."""
    wrapped = np.clip(normals @ directions().T + 0.4, 0, None) / 1.4**2
    return (wrapped @ light.radiance) * (4 / DIRECTIONS)


def gloss(
    light: Light, normals: np.ndarray, view: np.ndarray, sharpness: np.ndarray | float
) -> np.ndarray:
    """Blinn-Phong highlight [..., 1] of the key light; `view` [..., 3] points to the camera."""
    half = view + light.key
    half = half / np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-6)
    facing = np.clip((normals * half).sum(-1), 0, 1)
    return (facing**sharpness)[..., None]


def strand_gloss(light: Light, along: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Kajiya-Kay highlight [..., 1] of hairs that run `along` [..., 3]."""
    half = view + light.key
    half = half / np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-6)
    cosine = (along * half).sum(-1)
    return ((1 - np.clip(cosine**2, 0, 1)) ** 10)[..., None]
