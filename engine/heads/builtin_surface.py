"""The surface of the built-in head, all parts together. Millimetres, head-space axes."""

from __future__ import annotations

import numpy as np

from .builtin_atlas import unwrap_front
from .builtin_body import add_cranium, add_ears, add_neck
from .builtin_face import add_lid_edges, add_mouth, face_regions, face_table, relaxed
from .builtin_inside import add_eyeballs, add_teeth, add_tongue
from .surface import Surface


def build_surface() -> Surface:
    """All parts of the head; points 0..467 are the face landmarks."""
    points, triangles, mirror = face_table()
    points = relaxed(points, mirror)
    surface = Surface()
    surface.add_points("face", points)
    regions = face_regions(triangles)
    for region in ("skin", "lips", "eyelids"):
        chosen = triangles[regions == region]
        surface.add_triangles(chosen, np.zeros((len(chosen), 3, 2)), region)
    add_lid_edges(surface, points)
    add_mouth(surface, points)
    unwrap_front(surface)
    nape = add_cranium(surface, points)
    add_neck(surface, nape)
    add_ears(surface)
    add_eyeballs(surface)
    add_teeth(surface)
    add_tongue(surface)
    return surface
