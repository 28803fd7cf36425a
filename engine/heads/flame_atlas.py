"""UVs for FLAME, whose file has none: the skin unwrapped from the neck, lips and mouth wide."""

from __future__ import annotations

import numpy as np

from .boundaries import open_loops
from .landmarks import LIDS_LEFT, LIDS_RIGHT, LIPS_INNER
from .mesh_parts import Piece
from .mouth_cavity import Cavity
from .unwrap import unwrap

# How much longer an edge is in the atlas near these places, and how far that reaches (metres).
LIPS_GAIN, LIDS_GAIN, FACE_GAIN = 4.0, 2.0, 1.5
NEAR, FACE_REACH = 0.012, 0.07
CAVITY_DENSITY = (1.5, 0.8, 0.4, 0.3, 0.3)  # ring by ring inwards
SHARES = {"skin": 0.76, "eye_left": 0.05, "eye_right": 0.05, "shoulders": 0.14}


def skin_atlas(
    grown: np.ndarray, skin: np.ndarray, cavity: Cavity, anchors: dict[int, np.ndarray]
) -> tuple[np.ndarray, dict[str, float]]:
    """UVs [V, 2] of the skin with its mouth closed, and the islands' shares of the atlas."""
    faces = np.concatenate([skin, cavity.faces])
    density = np.ones(len(grown))
    centre = np.mean(list(anchors.values()), axis=0)
    density += FACE_GAIN * np.exp(-((np.linalg.norm(grown - centre, axis=1) / FACE_REACH) ** 2))
    for landmarks, gain in ((LIPS_INNER, LIPS_GAIN), (LIDS_LEFT + LIDS_RIGHT, LIDS_GAIN)):
        places = [anchors[k] for k in (*landmarks, 61, 291) if k in anchors]
        gap = np.linalg.norm(grown[:, None] - np.array(places)[None], axis=-1).min(1)
        density += gain * np.exp(-((gap / NEAR) ** 2))
    density[len(grown) - len(cavity.ring) :] = np.array(CAVITY_DENSITY)[cavity.ring - 1]
    neck = min(open_loops(faces), key=lambda loop: grown[loop, 1].mean())
    return unwrap(grown, faces, density, neck), SHARES


def flame_pieces(skin: np.ndarray, mouth: np.ndarray, uvs: np.ndarray) -> list[Piece]:
    """Skin and mouth, which share an island."""
    return [
        Piece(skin, uvs[skin], "skin", "skin"),
        Piece(mouth, uvs[mouth], "mouth", "skin"),
    ]
