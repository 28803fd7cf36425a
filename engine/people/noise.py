"""Smooth random fields over points in space, by sums of random waves."""

from __future__ import annotations

import numpy as np

WAVES = 24


def waves(rng: np.random.Generator, points: np.ndarray, length: float) -> np.ndarray:
    """A random field [N] of unit variance over points [N, 3], with features about as large as
    `length`, in the points' unit."""
    directions = rng.normal(size=(WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequency = 2 * np.pi / length * rng.uniform(0.6, 1.4, (WAVES, 1))
    phase = rng.uniform(0, 2 * np.pi, WAVES)
    wavevectors = (directions * frequency).astype(np.float32)
    angles = points.astype(np.float32) @ wavevectors.T + phase.astype(np.float32)
    return np.cos(angles).sum(1) * np.float32(np.sqrt(2 / WAVES))


def octaves(rng: np.random.Generator, points: np.ndarray, *lengths: float) -> np.ndarray:
    """The mean of fields of several lengths [N], of unit variance."""
    return sum(waves(rng, points, length) for length in lengths) / np.sqrt(len(lengths))


def smoothstep(value: np.ndarray | float, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high` (or the other way round), smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(points: np.ndarray, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """A Gaussian bump [N] of height 1 at a place of one side, and at its mirror image."""
    folded = (
        np.abs(points[:, :1]) - centre[0],
        points[:, 1:2] - centre[1],
        points[:, 2:] - centre[2],
    )
    return np.exp(-(np.concatenate(folded, 1) ** 2).sum(1) / radius**2)


def mixed(colours: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours [N, 3] turned into `other` ([3] or [N, 3]) by a share [N]."""
    return colours + (other - colours) * share[:, None]


def linear(srgb: np.ndarray) -> np.ndarray:
    """Linear light of display-referred sRGB numbers 0..1."""
    srgb = np.asarray(srgb, np.float32)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def display(light: np.ndarray) -> np.ndarray:
    """sRGB numbers 0..1 of linear light, highlights rolled off above 0.8."""
    rolled = np.where(light > 0.7, 1 - 0.3 * np.exp(-(light - 0.7) / 0.3), np.maximum(light, 0))
    return np.where(
        rolled <= 0.0031308, rolled * 12.92, 1.055 * np.maximum(rolled, 1e-9) ** (1 / 2.4) - 0.055
    )
