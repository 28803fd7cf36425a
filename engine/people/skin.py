"""The skin's own colour: tone, blood, lips, freckles, moles, stubble and wrinkles, make-up."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .noise import bump, linear, mixed, octaves, smoothstep, waves
from .template import Template
from .traits import Traits

BLOOD = np.array([1.10, 0.86, 0.84])  # what more blood does to a tone
EYES, NOSE_TIP = (31.2, 14.4, 55.0), (0.0, -20.0, 98.0)
# MediaPipe landmarks, which are the template's vertices of the same number.
LIP_LINE = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91,
            146, 61)  # fmt: skip
FOLDS = ((129, 203, 206, 216), (358, 423, 426, 436))  # from the nose's wings to the mouth's corners
FOREHEAD_LINES = (0.046, 0.054)  # metres, heights
CROWS_FEET = ((33, 130, 226, 35), (263, 359, 446, 265))
NOSTRILS = ((98, 240, 99), (327, 460, 328))


def skin_albedo(traits: Traits, canvas: Template) -> np.ndarray:
    """Linear albedo [N, 3] of all surface Gaussians as bare skin."""
    rng = np.random.default_rng([traits.seed, 3])
    points = canvas.points
    tone = linear(traits.skin)
    mottled = 0.05 * octaves(rng, points, 60, 20) + 0.06 * octaves(rng, points, 7, 3.5)
    colour = tone * np.exp(mottled)[:, None]
    blood = 0.75 * bump(points, (42, -22, 60), 22) + 0.8 * bump(points, NOSE_TIP, 16)
    blood = blood + 0.8 * canvas.of("ears") + 0.3 * bump(points, (0, -88, 75), 15)
    blood = np.clip(blood * (1 + 0.4 * waves(rng, points, 25)), 0, 1.3) * traits.ruddiness
    colour = colour * (1 + blood[:, None] * (BLOOD - 1) * 1.1)
    sunken = bump(points, (29, 3, 62), 10) * (0.10 + 0.22 * traits.age) + 0.1 * canvas.of("eyelids")
    colour = colour * (1 - sunken[:, None] * (0.8, 1.0, 0.9))
    colour = _freckled(traits, rng, canvas, colour)
    colour = _wrinkled(traits, rng, canvas, colour)
    colour = _lips(traits, rng, canvas, colour)
    return np.clip(_made_up(traits, rng, canvas, colour), 0.01, 0.95).astype(np.float32)


def _freckled(
    traits: Traits, rng: np.random.Generator, canvas: Template, colour: np.ndarray
) -> np.ndarray:
    """Freckles over nose and cheeks, and a few moles anywhere."""
    points = canvas.points
    skin = np.flatnonzero(canvas.of("skin", "neck"))
    if traits.freckles:
        likely = bump(points, (25, -8, 75), 30)[skin] + 0.05
        count = int(260 * traits.freckles)
        spots = skin[rng.choice(len(skin), count, p=likely / likely.sum())]
        colour = _spotted(canvas, colour, spots, rng.uniform(0.8, 1.7, count), 0.3)
    moles = skin[rng.integers(0, len(skin), rng.poisson(3))]
    return _spotted(canvas, colour, moles, rng.uniform(1.0, 2.0, len(moles)), 0.65)


def _spotted(
    canvas: Template, colour: np.ndarray, spots: np.ndarray, radii: np.ndarray, depth: float
) -> np.ndarray:
    """Colours with brown spots [S] of radii [S] in millimetres."""
    if not len(spots):
        return colour
    distance, nearest = cKDTree(canvas.points[spots]).query(canvas.points)
    share = np.exp(-((distance / radii[nearest]) ** 2)) * depth
    return colour * (1 - share[:, None] * (0.75, 0.95, 1.0))


def _wrinkled(
    traits: Traits, rng: np.random.Generator, canvas: Template, colour: np.ndarray
) -> np.ndarray:
    """Lines that come with age: forehead, beside the eyes, from nose to mouth. And nostrils."""
    points, vertices = canvas.points, canvas.head.vertices * 1000
    depth = 0.10 + 0.4 * traits.age
    dark = np.zeros(len(points))
    for fold in FOLDS:
        dark += 0.55 * depth * near_curve(points, vertices[list(fold)], 2.6)
    for line in FOREHEAD_LINES:
        height = points[:, 1] - line * 1000 - 2 * waves(rng, points, 40)
        front = smoothstep(points[:, 2], 45, 60) * canvas.of("skin")
        dark += 0.5 * traits.age**2 * np.exp(-((height / 1.1) ** 2)) * front
    for crows_foot in CROWS_FEET:
        dark += 0.5 * traits.age**2 * near_curve(points, vertices[list(crows_foot)], 1.6)
    for nostril in NOSTRILS:
        hole = vertices[nostril[0]] * (0.75, 1, 1) + (0, -1.0, 0)
        dark += 0.75 * np.exp(-(((points - hole) / (3.4, 2.4, 5)) ** 2).sum(1))
    return colour * (1 - np.clip(dark, 0, 0.85)[:, None] * (0.8, 1.0, 1.0))


def near_curve(points: np.ndarray, curve: np.ndarray, width: float) -> np.ndarray:
    """1 on a polyline [k, 3], falling off [N] over `width`; all in one unit."""
    fine = np.concatenate([a + np.linspace(0, 1, 12)[:, None] * (b - a)
                           for a, b in zip(curve[:-1], curve[1:])])  # fmt: skip
    distance, _ = cKDTree(fine).query(points, distance_upper_bound=4 * width)
    return np.exp(-((np.minimum(distance, 9 * width) / width) ** 2))


def _lips(
    traits: Traits, rng: np.random.Generator, canvas: Template, colour: np.ndarray
) -> np.ndarray:
    tone = linear(traits.skin)
    rose = np.array([1.02, 0.58, 0.58]) if traits.melanin < 0.5 else np.array([0.85, 0.62, 0.66])
    lip = tone * rose * rng.normal(1, 0.06, 3)
    lipstick = linear(rng.choice([[0.70, 0.15, 0.2], [0.75, 0.38, 0.38], [0.55, 0.15, 0.25]]))
    lip = lip + (lipstick - lip) * traits.makeup * rng.uniform(0.2, 0.9)
    vertices = canvas.head.vertices * 1000
    rim = near_curve(canvas.points, vertices[list(LIP_LINE)], 1.3) * canvas.of("skin") * 0.5
    share = np.maximum(canvas.of("lips") * 0.9, rim)
    grooves = 1 + 0.08 * waves(rng, canvas.points * (1, 0.15, 0.15), 1.6) * canvas.of("lips")
    return mixed(colour, lip, share) * grooves[:, None]


def _made_up(
    traits: Traits, rng: np.random.Generator, canvas: Template, colour: np.ndarray
) -> np.ndarray:
    """Blush on the cheeks, shadow on the lids."""
    if not traits.makeup:
        return colour
    points = canvas.points
    blush = 0.35 * traits.makeup * bump(points, (48, -12, 55), 18)
    colour = colour * (1 + blush[:, None] * (0.1, -0.35, -0.25))
    shadow = linear(rng.choice([[0.45, 0.32, 0.30], [0.25, 0.2, 0.22], [0.5, 0.38, 0.42]]))
    lid = bump(points, (31, 23, 60), 9) * canvas.of("eyelids", "skin") * 0.6 * traits.makeup
    return mixed(colour, shadow * linear(traits.skin).mean() * 2, lid)
