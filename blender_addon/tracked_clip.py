"""The motion in the folder of a tracked clip (docs/formats.md), as the engine's job left it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from ..engine.api.errors import TrackingError
from ..engine.api.rotations import matrix_from_rotvec, rotvec_from_matrix
from .motion import Motion


def read_motion(folder: str | Path) -> Motion:
    """Expressions and the head's turning; frames in which the head was lost are left out.

    Raises TrackingError.
    """
    folder = Path(folder)
    try:
        with np.load(folder / "head.npz", allow_pickle=False) as head:
            names = json.loads(bytes(head["texts"]).decode())["expression_names"]
        with np.load(folder / "tracking.npz", allow_pickle=False) as stored:
            seen = np.flatnonzero(stored["confidence"] > 0)
            times, expression = stored["times"][seen], stored["expression"][seen]
            torso, neck = stored["rotation"][seen], stored["neck"][seen]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TrackingError(
            f"The tracked clip {folder} is damaged: {error}.", "Track the footage again."
        ) from error
    if not len(seen) or expression.shape[1] != len(names):
        raise TrackingError("No head was found in the video.", "Film one face, well lit.")
    head_turn = rotvec_from_matrix(matrix_from_rotvec(torso) @ matrix_from_rotvec(neck))
    values = dict(zip(names, expression.T, strict=True))
    return Motion(times - times[0], values, head_turn)
