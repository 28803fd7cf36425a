"""Eyeballs, teeth and tongue of the built-in head. Millimetres."""

from __future__ import annotations

import numpy as np

from .builtin_atlas import EYE_BOXES, LOWER_TEETH_BOX, TONGUE_BOX, UPPER_TEETH_BOX
from .builtin_proportions import EYE_CENTRE, EYE_RADIUS, MOUTH_LINE
from .surface import Surface, grid_uvs, mirrored, square_uvs

# Degrees from the gaze to each ring of the eyeball, and its share of the atlas box.
EYE_RINGS = ((0, 0), (11, 0.2), (20, 0.34), (29.4, 0.48), (40, 0.62), (54, 0.77), (74, 0.88),
             (104, 0.95), (142, 0.98), (180, 1))  # fmt: skip
IRIS_RING = 3
EYE_COLUMNS = 16


def add_eyeballs(surface: Surface) -> None:
    angle = 2 * np.pi * np.arange(EYE_COLUMNS) / EYE_COLUMNS
    for side, sign, box in (("left", 1.0, EYE_BOXES[1]), ("right", -1.0, mirrored(EYE_BOXES[0]))):
        rows = []
        for ring, (degrees, _) in enumerate(EYE_RINGS):
            theta = np.deg2rad(degrees)
            turn = angle[:1] if degrees in (0, 180) else angle
            flat = np.sin(theta) * np.stack([np.cos(turn), np.sin(turn)], 1)
            direction = np.column_stack([flat, np.full(len(turn), np.cos(theta))])
            place = (EYE_CENTRE + EYE_RADIUS * direction) * (sign, 1, 1)
            row = surface.add_points(f"eye_{side}_{ring}", place)
            rows.append(np.resize(row, EYE_COLUMNS + 1))
        uvs = square_uvs([share for _, share in EYE_RINGS], EYE_COLUMNS, box)
        surface.add_grid(np.stack(rows), uvs, "eyeballs", flip=sign < 0)


# Rows of an arch from the gum to the edge and round behind it: height above the lip line, depth.
UPPER_TEETH = ((14, -3.0), (8, 0.0), (4, 0.9), (0, 0.8), (-2.4, 0.2), (-2.0, -2.4), (5, -6.0))
LOWER_TEETH = (
    (-7, -9.0),
    (-0.8, -5.6),
    (-0.6, -3.4),
    (-3, -2.6),
    (-6, -2.4),
    (-10, -3.4),
    (-15, -6.0),
)


def add_teeth(surface: Surface) -> None:
    turn = np.deg2rad(np.linspace(-78, 78, 25))
    for name, rows, box in (
        ("upper", UPPER_TEETH, UPPER_TEETH_BOX),
        ("lower", LOWER_TEETH, LOWER_TEETH_BOX),
    ):
        grid = []
        for row, (height, depth) in enumerate(rows):
            x = (27.0 + depth) * np.sin(turn)
            z = 69.0 - 40.0 + (40.0 + depth) * np.cos(turn)
            place = np.stack([x, MOUTH_LINE + height + 0 * x, z], 1)
            grid.append(surface.add_points(f"teeth_{name}_{row}", place))
        uvs = grid_uvs(np.linspace(0, 1, len(rows)), 25, box)
        surface.add_grid(np.stack(grid), uvs, "teeth")


def add_tongue(surface: Surface) -> None:
    """A soft wedge between the lower teeth: from the root along its back, round the tip, under."""
    across = np.linspace(-1, 1, 9)
    profile = ((22, -58, 17), (32, -55, 18), (42, -54.5, 18), (51, -56, 16.5), (57, -58, 14),
               (61, -60.5, 10.5), (60, -63.5, 11), (48, -67, 15))  # fmt: skip
    rows = []
    for ring, (z, y, width) in enumerate(profile):
        dome = 3.0 - 4.0 * across**2
        groove = -1.0 * np.exp(-((across / 0.25) ** 2))
        place = np.stack([width * across, y + dome + groove, z - 6 * across**2], 1)
        rows.append(surface.add_points(f"tongue_{ring}", place))
    surface.add_grid(np.stack(rows), grid_uvs(np.linspace(0, 1, 8), 9, TONGUE_BOX), "tongue")
