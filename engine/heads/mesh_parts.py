"""Putting together the pieces of a foreign head: skin, inside, eyes, bust. Metres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..api.errors import HeadError
from .atlas_packing import pack_islands
from .boundaries import loose_parts
from .builtin import REGIONS, builtin_head
from .bust import bust
from .closest_point import closest_points
from .drape import drape
from .eye_caps import eye_caps

OUTSIDE = ("skin", "lips", "eyelids", "scalp", "ears", "neck")


@dataclass(frozen=True)
class Piece:
    """Some triangles with their UVs and what they are."""

    faces: np.ndarray  # [n, 3]
    uvs: np.ndarray  # [n, 3, 2]
    region: str  # of engine.heads.builtin.REGIONS; "skin" is told apart further
    island: str


@dataclass(frozen=True)
class Assembled:
    """All pieces in one mesh with one atlas; vertices that nothing uses are gone."""

    vertices: np.ndarray  # [V, 3]
    source: np.ndarray  # [V] the file's vertex, -1 for those that we added
    faces: np.ndarray  # [F, 3]
    face_uvs: np.ndarray  # [F, 3, 2]
    regions: np.ndarray  # [F] str

    def carried(self, fields: np.ndarray) -> np.ndarray:
        """Displacements [..., V, 3] of the file's [..., n, 3]; what we added stays."""
        chosen = fields[..., np.maximum(self.source, 0), :].astype(np.float32)
        chosen[..., self.source < 0, :] = 0
        return chosen

    def kept(self, vertices: np.ndarray) -> np.ndarray:
        """New indices of those of the file's vertices [n] that are still there."""
        return np.flatnonzero(np.isin(self.source, vertices))


def assemble(
    vertices: np.ndarray,
    pieces: list[Piece],
    eyeballs: np.ndarray,
    centres: np.ndarray,
    anchors: dict[int, np.ndarray],
    shares: Mapping[str, float],
) -> Assembled:
    """One mesh of the pieces, the caps of the `eyeballs` [n, 3] and a bust, in one atlas.

    `shares`: island -> share of the atlas; "eye_left", "eye_right" and "shoulders" are ours.
    Raises HeadError when the skin is no face.
    """
    skin = np.concatenate([piece.faces for piece in pieces if piece.region == "skin"])
    placed = drape(anchors, vertices, skin).alignment
    parts = loose_parts(eyeballs, len(vertices))
    caps, sides, cap_uvs = eye_caps(vertices, eyeballs, parts, centres)
    for side, name in enumerate(("eye_left", "eye_right")):
        mine = sides == side
        if not mine.any():
            raise HeadError(f"The head has no {name.replace('_', ' ')}.", "Use a complete head.")
        pieces = [*pieces, Piece(caps[mine], cap_uvs[mine], "eyeballs", name)]
    added, band, band_uvs = bust(vertices, skin, placed)
    if len(band):
        pieces = [*pieces, Piece(band, band_uvs, "shoulders", "shoulders")]
    points = np.concatenate([vertices, added])
    faces = np.concatenate([piece.faces for piece in pieces])
    uvs = np.concatenate([piece.uvs for piece in pieces])
    islands = np.repeat([p.island for p in pieces], [len(p.faces) for p in pieces])
    regions = np.repeat([p.region for p in pieces], [len(p.faces) for p in pieces]).astype("U12")
    outside = np.flatnonzero(regions == "skin")
    regions[outside] = _told_apart(points, faces[outside], anchors)
    used, renumbered = np.unique(faces, return_inverse=True)
    source = np.where(used < len(vertices), used, -1)
    packed = pack_islands(uvs, islands, shares)
    return Assembled(points[used], source, renumbered.reshape(faces.shape), packed, regions)


def _told_apart(
    vertices: np.ndarray, faces: np.ndarray, anchors: dict[int, np.ndarray]
) -> np.ndarray:
    """Regions [n] str of skin faces: those of our head, bent over this one, that lie nearest."""
    draped = drape(anchors, vertices, faces)
    own = builtin_head()
    places = draped.alignment.apply(own.vertices.astype(float))
    places[: len(draped.place)] = draped.place
    outside = np.isin(own.face_regions, [REGIONS.index(name) for name in OUTSIDE])
    found = closest_points(vertices[faces].mean(1), places, own.faces[outside])
    return np.array(REGIONS)[own.face_regions[outside][found.face]]
