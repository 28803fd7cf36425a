"""Where the shoulders begin: what to keep of a matte when only head and neck are wanted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..api.head import JOINTS, HeadModel, HeadParams
from ..api.rotations import matrix_from_rotvec
from ..api.settings import TrackSettings
from .pose import VIEWMAT

NECK = JOINTS.index("neck")
# The cut lies this far below the neck's joint where a head has no shoulders of its own: metres.
BELOW = 0.045
# It fades over this many metres.
FADE = 0.012


def cut_height(head: HeadModel) -> float:
    """Height y in head space where the neck ends: the mean of the edge that it shares with the
    shoulders, else a little below the neck's joint."""
    regions = [head.region_names.index(n) for n in ("neck", "shoulders") if n in head.region_names]
    if len(regions) == 2:
        neck, shoulders = (np.unique(head.faces[head.face_regions == r]) for r in regions)
        shared = np.intersect1d(neck, shoulders)
        if len(shared):
            return float(head.vertices[shared, 1].mean())
    return float(head.joint_positions[NECK, 1]) - BELOW


def shown_part(
    head: HeadModel, params: HeadParams, K: np.ndarray, settings: TrackSettings
) -> Callable[[int], np.ndarray | float]:
    """What share of each pixel is kept in a frame, by its index: all, or what is above the cut."""
    if settings.shoulders == "keep":
        return lambda index: 1.0
    return lambda index: above_shoulders(head, params[index], K, settings.size)


def above_shoulders(head: HeadModel, params: HeadParams, K: np.ndarray, size: int) -> np.ndarray:
    """Share [size, size] float32 of each pixel that is kept in one frame.

    Pixels are taken to lie in the plane through the neck that faces the camera; they are kept above
    the cut in the torso's own up, so that it tilts with the shoulders.
    """
    turn = matrix_from_rotvec(params.rotation)
    neck = turn @ head.joint_positions[NECK] + params.translation
    depth = (VIEWMAT[:3, :3] @ neck)[2]
    y, x = np.mgrid[:size, :size] + 0.5
    camera = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)]) * depth
    world = np.tensordot(VIEWMAT[:3, :3].T, camera, axes=1)
    height = np.tensordot(turn[:, 1], world - params.translation[:, None, None], axes=1)
    return np.clip((height - cut_height(head)) / FADE + 0.5, 0, 1).astype(np.float32)
