"""Identity directions of the built-in head: named, smooth, symmetric; mm at coefficient 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .surface import Surface

Field = Callable[[np.ndarray], np.ndarray]  # points [n, 3] -> displacements [n, 3]


def _bump(points: np.ndarray, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """A Gaussian bump [n, 1] and its mirror image."""
    folded = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]], 1)
    return np.exp(-(((folded - centre) / radius) ** 2).sum(1, keepdims=True))


def _step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t))[:, None]


def _push(
    centre: tuple[float, float, float], radius: float, shift: tuple[float, float, float]
) -> Field:
    """Move a place and its mirror image; x of `shift` is outwards."""

    def field(points: np.ndarray) -> np.ndarray:
        side = np.tanh(points[:, :1] / 6)
        direction = np.concatenate([side, np.ones_like(side), np.ones_like(side)], 1) * shift
        return _bump(points, centre, radius) * direction

    return field


def _scale(
    centre: tuple[float, float, float],
    amount: tuple[float, float, float],
    inside: Callable[[np.ndarray], np.ndarray],
) -> Field:
    """Stretch about a centre, faded by `inside` [n, 1]."""
    return lambda points: inside(points) * (points - centre) * amount


def _everywhere(points: np.ndarray) -> np.ndarray:
    return np.ones((len(points), 1))


def _head(points: np.ndarray) -> np.ndarray:
    return _step(points[:, 1], -150, -80)


def _skull(points: np.ndarray) -> np.ndarray:
    return np.maximum(_step(points[:, 1], 30, 75), _step(-points[:, 2], 0, 45)) * _step(
        points[:, 1], -110, -30
    )


def _torso(points: np.ndarray) -> np.ndarray:
    return 1 - _step(points[:, 1], -165, -115)


def _neck(points: np.ndarray) -> np.ndarray:
    return _step(-points[:, 1], 40, 110) * _step(points[:, 1], -185, -140)


def _ear(points: np.ndarray) -> np.ndarray:
    return (
        _step(np.abs(points[:, 0]), 64, 74)
        * _step(points[:, 1], -75, -35)
        * _bump(points, (80, 0, -20), 45)
    )


def _lower_face(points: np.ndarray) -> np.ndarray:
    height = _step(-points[:, 1], 10, 75) * _step(points[:, 1], -135, -95)
    return height * _step(points[:, 2], -30, 20)


def _occiput(points: np.ndarray) -> np.ndarray:
    return _step(-points[:, 2], 10, 60) * _step(points[:, 1], -90, -30)


def _under_the_mouth(points: np.ndarray) -> np.ndarray:
    return _step(-points[:, 1], 50, 90) * _lower_face(points)


def _shoulder_tops(points: np.ndarray) -> np.ndarray:
    return _torso(points) * _step(np.abs(points[:, 0]), 40, 150) * (0, 12, 0)


FIELDS: dict[str, Field] = {
    "size": _scale((0, 0, -20), (0.05, 0.05, 0.05), _everywhere),
    "headWidth": _scale((0, 0, 0), (0.06, 0, 0), _head),
    "headHeight": _scale((0, 0, 0), (0, 0.06, 0), _head),
    "headDepth": _scale((0, 0, 0), (0, 0, 0.06), _head),
    "skullWidth": _scale((0, 0, 0), (0.07, 0, 0), _skull),
    "skullHeight": _scale((0, 45, 0), (0, 0.1, 0), lambda p: _step(p[:, 1], 40, 70)),
    "skullDepth": _scale((0, 0, -10), (0, 0, 0.1), _occiput),
    "foreheadForward": _push((0, 55, 66), 30, (0, 0, 4)),
    "foreheadWidth": _push((50, 48, 48), 24, (4, 0, 0)),
    "templeWidth": _push((62, 25, 30), 22, (4, 0, 0)),
    "jawWidth": _scale((0, 0, 0), (0.1, 0, 0), _lower_face),
    "jawAngle": _push((60, -50, 12), 24, (4, -3, 0)),
    "jawLength": _scale((0, -50, 0), (0, 0.14, 0), _under_the_mouth),
    "chinForward": _push((0, -88, 70), 24, (0, 0, 5)),
    "chinHeight": _push((0, -92, 66), 22, (0, -5, 0)),
    "chinWidth": _push((18, -88, 60), 18, (4, 0, 0)),
    "cheekbone": _push((55, 0, 42), 20, (3, 0, 3)),
    "cheekFullness": _push((45, -42, 45), 22, (4, 0, 4)),
    "noseLength": _push((0, -22, 92), 17, (0, -4, 0)),
    "noseForward": _push((0, -20, 96), 18, (0, 0, 5)),
    "noseWidth": _push((15, -27, 78), 12, (3, 0, 0)),
    "noseBridge": _push((0, 8, 78), 14, (0, 0, 4)),
    "noseBridgeWidth": _push((8, 8, 72), 12, (3, 0, 0)),
    "noseTip": _push((0, -20, 98), 11, (0, 3.5, 0)),
    "browHeight": _push((32, 34, 66), 18, (0, 4, 0)),
    "browDepth": _push((32, 33, 68), 18, (0, 0, 4)),
    "browInner": _push((13, 30, 72), 13, (0, 3, 1)),
    "eyeDistance": _push((31, 14, 52), 26, (3, 0, 0)),
    "eyeHeight": _push((31, 14, 52), 26, (0, 3, 0)),
    "eyeDepth": _push((31, 14, 52), 26, (0, 0, 3)),
    "eyeCornerTilt": _push((45, 15, 52), 11, (0, 2.5, 0)),
    "lidFullness": _push((31, 22, 61), 9, (0, 0, 2)),
    "mouthWidth": _push((24, -51, 64), 17, (4, 0, 0)),
    "mouthHeight": _push((0, -51, 76), 26, (0, 4, 0)),
    "mouthForward": _push((0, -51, 76), 26, (0, 0, 4)),
    "upperLipFullness": _push((0, -45, 81), 10, (0, 1.8, 1.8)),
    "lowerLipFullness": _push((0, -59, 80), 10, (0, -1.8, 1.8)),
    "philtrum": _push((0, -38, 80), 11, (0, 0, 2)),
    "earSize": _scale((77, -5, -20), (0, 0.16, 0.16), _ear),
    "earOut": lambda points: (
        _ear(points)
        * _step(-points[:, 2], 8, 38)
        * np.stack([6 * np.sign(points[:, 0]), 0 * points[:, 0], 0 * points[:, 0]], 1)
    ),
    "earHeight": lambda points: _ear(points) * (0, 5, 0),
    "neckWidth": _scale((0, 0, -33), (0.12, 0, 0.12), _neck),
    "neckLength": lambda points: _torso(points) * (0, -10, 0),
    "neckForward": lambda points: _torso(points) * (0, 0, -8),
    "shoulderWidth": _scale((0, 0, 0), (0.1, 0, 0), _torso),
    "shoulderHeight": _shoulder_tops,
}


def identity_deltas(surface: Surface, mirror: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and displacements [I, V, 3] mm, exactly symmetric."""
    points = np.concatenate(surface.points)
    deltas = np.stack([field(points) for field in FIELDS.values()])
    for side in ("left", "right"):
        # An eyeball moves and grows as a whole, or it would stop being a ball.
        index = np.concatenate([i for n, i in surface.parts.items() if n.startswith(f"eye_{side}")])
        deltas[:, index] = deltas[:, index].mean(1, keepdims=True)
    return tuple(FIELDS), (deltas + deltas[:, mirror] * (-1, 1, 1)) / 2
