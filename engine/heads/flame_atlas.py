"""UVs for FLAME, whose file has none: the skin unwrapped, lips and lids magnified, the mouth apart.

The mouth's inside has an island of its own that is far larger than its surface, since what is in a
mouth is more than its walls (paper 001, figure 4).
"""

from __future__ import annotations

import numpy as np

from .atlas_packing import unfolded
from .boundaries import open_loops
from .landmarks import LIDS_LEFT, LIDS_RIGHT, LIPS_INNER
from .mesh_parts import Piece
from .mouth_cavity import RINGS, Cavity
from .seam import cut_open, shortest_way
from .surface import square_uvs
from .unwrap import unwrap

# How much longer an edge is in the atlas near the middle of the face, and how far that reaches.
FACE_GAIN, FACE_REACH = 3.0, 0.075  # metres
# Lips and lids are magnified within this many times their own size, by the strongest of these
# powers of the distance that folds nothing over.
REACH, POWERS = 3.0, (0.5, 0.6, 0.7, 0.8, 0.9)
SHARES = {"skin": 0.76, "mouth": 0.07, "eye_left": 0.035, "eye_right": 0.035, "shoulders": 0.1}


def skin_atlas(
    grown: np.ndarray,
    skin: np.ndarray,
    lips: np.ndarray,
    cavity: Cavity,
    anchors: dict[int, np.ndarray],
) -> list[Piece]:
    """The skin, cut open at the back of the head, and the mouth behind the edge `lips` [n]."""
    closed = np.concatenate([skin, cavity.faces])  # or the mouth would be a hole to hold open
    centre = np.mean(list(anchors.values()), axis=0)
    away = np.linalg.norm(grown - centre, axis=1)
    density = 1 + FACE_GAIN * np.exp(-((away / FACE_REACH) ** 2))
    neck = min(open_loops(closed), key=lambda loop: grown[loop, 1].mean())
    nape = neck[grown[neck, 2].argmin()]
    crown = np.unique(skin)[grown[np.unique(skin), 1].argmax()]
    cut, doubled = cut_open(closed, shortest_way(grown, closed, nape, crown), len(grown))
    points = np.concatenate([grown, grown[doubled]])
    outer = next(loop for loop in open_loops(cut) if nape in loop)
    uvs = unwrap(points, cut, np.concatenate([density, density[doubled]]), outer)
    faces = cut[: len(skin)]
    for group in ((*LIPS_INNER, 61, 291), LIDS_LEFT, LIDS_RIGHT):
        places = np.array([anchors[k] for k in group if k in anchors])
        uvs = _magnified(uvs, faces, points, places)
    return [
        Piece(skin, uvs[faces], "skin", "skin"),
        Piece(cavity.faces, _mouth_uvs(lips, cavity), "mouth", "mouth"),
    ]


def _magnified(
    uvs: np.ndarray, faces: np.ndarray, points: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """UVs [V, 2] with what lies round `places` [n, 3] drawn larger, and nothing folded over."""
    near = np.array([np.linalg.norm(points - place, axis=1).argmin() for place in places])
    centre = uvs[near].mean(0)
    radius = REACH * np.linalg.norm(uvs[near] - centre, axis=1).max()
    radius = min(radius, *(np.minimum(centre, 1 - centre) - 1e-3))  # the rim stays where it is
    offset = uvs - centre
    share = np.linalg.norm(offset, axis=1, keepdims=True) / radius
    before = unfolded(uvs[faces])
    for power in POWERS:
        stretch = np.where(share < 1, np.maximum(share, 1e-6) ** (power - 1), 1)
        candidate = centre + offset * stretch
        if (unfolded(candidate[faces]) == before).all():
            return candidate
    return uvs


def _mouth_uvs(lips: np.ndarray, cavity: Cavity) -> np.ndarray:
    """UVs [m, 3, 2] of the cavity: nested squares from its edge to the cap."""
    size = len(lips)
    radii = 1 - np.arange(len(RINGS) + 1) / (len(RINGS) + 1)
    rings = square_uvs(radii, size, (0.0, 0.0, 1.0, 1.0))[:, :size]
    of = np.zeros((int(cavity.faces.max()) + 1, 2))
    of[lips] = rings[0]
    first = cavity.faces.max() - size * len(RINGS)
    of[first : first + size * len(RINGS)] = rings[1:].reshape(-1, 2)
    of[-1] = 0.5
    return of[cavity.faces]
