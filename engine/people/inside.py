"""What lies behind the lids and the lips: eyeballs, teeth, tongue and the mouth's inside."""

from __future__ import annotations

import numpy as np

from .noise import linear, mixed, smoothstep, waves
from .template import Template
from .traits import Traits

IRIS, PUPIL, LIMBUS = 0.47, 0.18, 0.07  # in eyeball radii
TOOTH = 7.2  # millimetres along the arch
FLESH, GUM = np.array([0.50, 0.17, 0.16]), np.array([0.70, 0.36, 0.36])


def eye_albedo(traits: Traits, canvas: Template) -> np.ndarray:
    """Linear albedo [N, 3] of the Gaussians as eyeballs (meant for those that are)."""
    rng = np.random.default_rng([traits.seed, 4])
    joints = canvas.head.joint_positions * 1000
    centre = np.where(canvas.points[:, :1] > 0, joints[3], joints[4])
    gaze = canvas.points - centre
    gaze = gaze / np.maximum(np.linalg.norm(gaze, axis=1, keepdims=True), 1e-6)
    radius = np.where(gaze[:, 2] > 0, np.hypot(gaze[:, 0], gaze[:, 1]), 1.0)
    white = linear(np.array([0.88, 0.85, 0.83]) - 0.1 * traits.age * np.array([0, 0.4, 1.0]))
    veins = 1 - 0.12 * np.abs(waves(rng, gaze, 0.25)) * smoothstep(radius, 0.5, 0.9)
    colour = white * np.stack([np.ones_like(veins), veins, veins], 1)
    spokes = np.arctan2(gaze[:, 1], gaze[:, 0])
    rays = 1 + 0.15 * np.cos(23 * spokes + rng.uniform(0, 6)) * np.cos(17 * spokes)
    ring = np.interp(radius, [PUPIL, 0.28, 0.4, IRIS], [1.25, 1.2, 0.9, 0.35])
    iris = linear(np.clip(traits.iris, 0.05, 0.8)) * (rays * ring)[:, None]
    colour = mixed(colour, iris, 1 - smoothstep(radius, IRIS - LIMBUS / 2, IRIS + LIMBUS / 2))
    return mixed(colour, np.full(3, 0.008), 1 - smoothstep(radius, PUPIL - 0.05, PUPIL + 0.05))


def mouth_albedo(traits: Traits, canvas: Template) -> np.ndarray:
    """Linear albedo [N, 3] of the Gaussians as teeth, tongue and flesh, by their regions."""
    rng = np.random.default_rng([traits.seed, 5])
    points = canvas.points
    teeth = canvas.of("teeth")
    whiteness = rng.uniform(0.75, 0.95) - 0.12 * traits.age
    ivory = linear(np.array([1.0, 0.96, 0.88]) * whiteness)
    along = points[:, 0] / TOOTH * (1 + 0.25 * (points[:, 1] < -51.5))
    gap = np.abs(along - np.round(along))
    enamel = ivory * (0.55 + 0.45 * smoothstep(0.5 - gap, 0.02, 0.12))[:, None]
    height = np.abs(points[:, 1] + 51.3)
    enamel = mixed(enamel, linear(GUM), smoothstep(height, 8.5, 10.5))
    flesh = linear(FLESH) * (1 + 0.1 * waves(rng, points, 6))[:, None]
    tongue = linear(np.array([0.72, 0.40, 0.40]))
    return np.where(teeth[:, None], enamel, np.where(canvas.of("tongue")[:, None], tongue, flesh))


def mouth_light(canvas: Template) -> np.ndarray:
    """How much light [N] reaches what lies in the mouth: less the deeper behind the lips."""
    front = canvas.points[canvas.of("lips"), 2].max()
    behind = front - canvas.points[:, 2]
    return np.where(
        canvas.of("teeth"),
        np.clip(1.05 - behind / 70, 0.15, 1),
        np.clip(0.95 - behind / 40, 0.08, 1),
    )
