"""The face of the built-in head: 468 landmarks, the lids' rims and the inside of the mouth.

The face is MediaPipe's tessellation (Face Mesh, Apache-2.0: which landmarks form a triangle) at our
own mean positions, both in face468.npz: landmarks that we tracked on three public clips, two old
paintings and one NASA portrait, lifted to perspective, aligned on rigid places, averaged robustly
per subject and mirrored. Millimetres.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from . import landmarks as lm
from .builtin_proportions import EYE_CENTRE, EYE_RADIUS, LID_RADIUS, MOUTH_LINE
from .surface import Surface


def face_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 468 neutral positions [468, 3] mm, triangles [852, 3], mirror landmark [468]."""
    with (files(__package__) / "face468.npz").open("rb") as file, np.load(file) as table:
        positions = table["positions"].astype(np.float64) * 1000
        return positions, table["triangles"].astype(np.int64), table["mirror"].astype(np.int64)


def relaxed(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Closed lips, lids on the ball; symmetric."""
    points = points.copy()
    for upper, lower in zip(lm.LIPS_INNER[1:10], lm.LIPS_INNER[:10:-1], strict=True):
        middle = (points[upper] + points[lower]) / 2
        for vertex, side in ((upper, -0.1), (lower, 0.1)):
            points[vertex] = middle + (0, side, -1.2)
    for loop, centre in (
        (lm.LIDS_LEFT, EYE_CENTRE),
        (lm.LIDS_RIGHT, EYE_CENTRE * (-1, 1, 1)),
    ):
        ring = points[list(loop)] - centre
        depth = LID_RADIUS**2 - (ring[:, :2] ** 2).sum(-1)
        on_ball = np.sqrt(np.maximum(depth, 0))
        # The corners of the eye lie beside the ball, not on it.
        ring[:, 2] = np.where(depth > 36, np.maximum(on_ball, 6), ring[:, 2])
        points[list(loop)] = ring + centre
    return (points + points[mirror] * (-1, 1, 1)) / 2


def face_regions(triangles: np.ndarray) -> np.ndarray:
    lips = np.isin(triangles, lm.LIPS_INNER + lm.LIPS_MIDDLE + lm.LIPS_FRONT + lm.LIPS_OUTER)
    rings = lm.LIDS_LEFT + lm.LIDS_RIGHT
    lids = np.isin(triangles, rings + lm.LID_FOLDS_LEFT + lm.LID_FOLDS_RIGHT)
    regions = np.where(lips.all(1), "lips", "skin")
    return np.where(lids.all(1), "eyelids", regions)


def add_lid_edges(surface: Surface, points: np.ndarray) -> None:
    """The lids' thickness: a rim that runs from each lid's edge back to the ball, under the lid."""
    for side, loop, sign in (("left", lm.LIDS_LEFT, 1.0), ("right", lm.LIDS_RIGHT, -1.0)):
        index = np.array(loop)
        offset = points[index] - EYE_CENTRE * (sign, 1, 1)
        direction = offset / np.linalg.norm(offset, axis=1, keepdims=True)
        # Upper and lower lids overlap the ball; at the corners the rim only meets it.
        direction[:, 1] += 0.2 * np.sign(direction[:, 1]) * np.minimum(np.abs(offset[:, 1]) / 4, 1)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        rim = EYE_CENTRE * (sign, 1, 1) + direction * (EYE_RADIUS + 0.1)
        inner = surface.add_points(f"lid_rim_{side}", rim)
        grid = np.stack([np.append(index, index[0]), np.append(inner, inner[0])])
        surface.add_grid(grid, np.zeros((2, 17, 2)), "eyelids", flip=sign < 0)


def add_mouth(surface: Surface, points: np.ndarray) -> None:
    """The closed mouth cavity: four rings inwards from the inner lips and a cap."""
    loop = np.array(lm.LIPS_INNER)
    lips = points[loop]
    upper = np.sin(np.pi * np.arange(20) / 10)  # 1 mid upper lip, 0 corners, -1 mid lower lip
    upper = np.sign(upper) * np.sqrt(np.abs(upper))
    rings = [loop]
    for width, height, depth in ((1.05, 4, 3), (1.3, 13, 8), (1.35, 18, 26), (1.0, 15, 48)):
        ring = lips * (width, 1, 1) + np.stack([0 * upper, height * upper, 0 * upper - depth], 1)
        rings.append(surface.add_points(f"mouth_{len(rings)}", ring))
    cap = surface.add_points("mouth_cap", np.array([[0, MOUTH_LINE, 16.0]]))
    rings.append(np.repeat(cap, 20))
    grid = np.stack([np.append(ring, ring[0]) for ring in rings])
    surface.add_grid(grid, np.zeros((*grid.shape, 2)), "mouth")
