"""Wavefront OBJ: vertices, texture coordinates and polygons of up to four corners; nothing else.

Bounded, and strict about counts: a file whose numbers do not add up is refused, not guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..api.errors import HeadError

MAX_BYTES = 64 << 20
HINT = "Export the mesh again as a plain OBJ file, or use the built-in head."


@dataclass(frozen=True)
class ObjMesh:
    """Indices from 0; -1 is the missing fourth corner of a triangle."""

    vertices: np.ndarray  # [V, 3]
    uvs: np.ndarray  # [U, 2]
    faces: np.ndarray  # [F, 4]
    face_uvs: np.ndarray  # [F, 4]


def read_obj(path: Path, *, faces: bool = True) -> ObjMesh:
    """The mesh at `path`; without `faces` only its vertices. Raises HeadError."""
    lines = _lines(path)
    try:
        vertices = _numbers([line[2:] for line in lines if line.startswith(b"v ")], 3)
        if not faces:
            nothing = np.zeros((0, 4), int)
            return ObjMesh(vertices, np.zeros((0, 2)), nothing, nothing)
        uvs = _numbers([line[3:] for line in lines if line.startswith(b"vt ")], 2)
        corners = [line[2:].split() for line in lines if line.startswith(b"f ")]
        index, uv_index = _polygons(corners, len(vertices), len(uvs))
    except ValueError as error:
        raise HeadError(f"{path.name} is not a readable OBJ file ({error}).", HINT) from error
    return ObjMesh(vertices, uvs, index, uv_index)


def _lines(path: Path) -> list[bytes]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise HeadError(f"{path.name} is larger than {MAX_BYTES >> 20} MiB.", HINT)
        return path.read_bytes().splitlines()
    except OSError as error:
        raise HeadError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


def _numbers(rows: list[bytes], columns: int) -> np.ndarray:
    """[n, columns] float64 of rows of text; more columns than wanted (weights) are left out."""
    if not rows:
        return np.zeros((0, columns))
    width = len(rows[0].split())
    values = np.array(b" ".join(rows).split(), dtype=np.float64)
    if width < columns or len(values) != width * len(rows):
        raise ValueError("a row has the wrong count of numbers")
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    return values.reshape(-1, width)[:, :columns]


def _polygons(corners: list[list[bytes]], vertices: int, uvs: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertex and UV indices [n, 4] of corners like 3/7/2."""
    if any(not 3 <= len(row) <= 4 for row in corners):
        raise ValueError("a face has neither three nor four corners")
    index = np.full((len(corners), 4), -1)
    uv_index = np.full((len(corners), 4), -1)
    for face, row in enumerate(corners):
        for corner, text in enumerate(row):
            parts = text.split(b"/")
            index[face, corner] = int(parts[0]) - 1
            if len(parts) > 1 and parts[1]:
                uv_index[face, corner] = int(parts[1]) - 1
    for chosen, limit in ((index, vertices), (uv_index, uvs)):
        if chosen.size and (chosen.max() >= limit or chosen.min() < -1):
            raise ValueError("a face points outside the mesh")
    if (index[:, :3] < 0).any():
        raise ValueError("a face counts from the end, which is not supported")
    return index, uv_index
