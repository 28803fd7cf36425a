"""A head model as one file: a .npz of plain arrays, written atomically and read without pickle.

Reading trusts nothing: sizes are bounded before an array is read, and shapes, ranges and indices
are checked after. Texts are stored as one JSON array of bytes.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..api.errors import HeadError
from ..api.head import JOINTS, HeadModel
from .array_archive import read_arrays

FORMAT = 1
TEXTS = ("name", "licence", "expression_names", "identity_names", "region_names", "code_names")
ARRAYS = tuple(field.name for field in fields(HeadModel) if field.name not in TEXTS)
HINT = "Save the head again with the version of Likeness that made it, or use the built-in head."


def write_head(path: str | Path, head: HeadModel) -> None:
    """Write the head to `path`, complete or not at all. Raises HeadError when it cannot."""
    texts = {name: getattr(head, name) for name in TEXTS} | {"format": FORMAT}
    encoded = np.frombuffer(json.dumps(texts).encode(), np.uint8)
    beside = Path(f"{path}.part")
    try:
        with beside.open("wb") as file:
            arrays = {name: getattr(head, name) for name in ARRAYS}
            np.savez_compressed(file, texts=encoded, **arrays)
        os.replace(beside, path)
    except OSError as error:
        raise HeadError(
            f"The head cannot be written to {path}: {error.strerror}.",
            "Choose a folder that exists and that you may write to.",
        ) from error


def read_head(path: str | Path) -> HeadModel:
    """The head stored at `path`. Raises HeadError when it is missing, damaged or inconsistent."""
    stored: dict[str, Any] = {**read_arrays(path, ("texts", *ARRAYS))}
    missing = [name for name in ("texts", *ARRAYS) if name not in stored]
    if missing:
        raise HeadError(f"{path} has no {', '.join(missing)}.", HINT)
    try:
        texts = json.loads(stored.pop("texts").tobytes().decode())
        if texts["format"] > FORMAT:
            raise HeadError(f"{path} was written by a newer version.", "Update Likeness.")
        named: dict[str, Any] = {name: _texts(texts[name]) for name in TEXTS}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HeadError(f"{path} is not a readable head file ({error}).", HINT) from error
    head = HeadModel(**named, **stored)
    check_head(head)
    return head


def _texts(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError("a name is not a text")


def check_head(head: HeadModel) -> None:
    """Raises HeadError when shapes disagree, an index points nowhere, or a number is not finite."""
    vertices, faces = len(head.vertices), len(head.faces)
    expressions, identities = len(head.expression_names), len(head.identity_names)
    regressor = (len(JOINTS), vertices) if identities else np.shape(head.joint_regressor)
    shapes = {
        "vertices": (vertices, 3),
        "faces": (faces, 3),
        "face_uvs": (faces, 3, 2),
        "expression_deltas": (expressions, vertices, 3),
        "joint_positions": (len(JOINTS), 3),
        "skin_weights": (vertices, len(JOINTS)),
        "code_matrix": (len(head.code_names), expressions + 12),
        "landmark_faces": (478,),
        "landmark_barycentrics": (478, 3),
        "face_regions": (faces,),
        "mirror_vertices": (vertices,),
        "identity_deltas": (identities, vertices, 3),
        "joint_regressor": regressor,
    }
    for name, shape in shapes.items():
        array = getattr(head, name)
        if array.shape != shape and not (name == "identity_deltas" and not identities):
            raise HeadError(f"The head's {name} is {array.shape}, expected {shape}.", HINT)
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise HeadError(f"The head's {name} holds something that is not a number.", HINT)
    for name, low, high in (
        ("faces", 0, vertices),
        ("mirror_vertices", 0, vertices),
        ("landmark_faces", -1, faces),
        ("face_regions", 0, len(head.region_names)),
    ):
        array = getattr(head, name)
        if array.dtype.kind not in "iu" or (
            array.size and not low <= array.min() <= array.max() < high
        ):
            raise HeadError(f"The head's {name} points outside the head.", HINT)
    if np.abs(head.skin_weights.sum(1) - 1).max(initial=0) > 1e-3:
        raise HeadError("The head's skin_weights do not sum to 1.", HINT)
