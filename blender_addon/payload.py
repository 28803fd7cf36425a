"""A baked avatar inside the .blend: a mesh of loose vertices that carries one vertex per Gaussian.

Per-Gaussian arrays are point attributes (shared between copies, cheap to undo, visible to Geometry
Nodes); the header and the small arrays are custom properties of the mesh. A payload is never
changed once written: a new avatar is a new mesh, so what was read from one can be kept.
"""

from __future__ import annotations

import io
import json
from typing import Any, NamedTuple

import bpy
import numpy as np

from ..engine.api import avatar_layout, avatar_rules
from ..engine.api.avatar_rules import RAW_WIDTH
from ..engine.api.baked import BakedAvatar
from ..engine.api.errors import AvatarFileError

HEADER, ARRAYS = "likeness_header", "likeness_arrays"

# Attribute -> (type, property read by foreach_get, array of the layout, its columns)
POINT_ARRAYS = (
    ("position", "FLOAT_VECTOR", "vector", "base", slice(0, 3)),
    # Raw quaternions are not unit, so this is no QUATERNION attribute.
    ("rotation", "FLOAT_COLOR", "color", "base", slice(3, 7)),
    ("scale", "FLOAT_VECTOR", "vector", "base", slice(7, 10)),
    ("opacity", "FLOAT", "value", "base", slice(10, 11)),
    ("color", "FLOAT_VECTOR", "vector", "base", slice(11, 14)),
    ("face", "INT", "value", "binding/face", None),
    ("barycentric", "FLOAT_VECTOR", "vector", "binding/barycentric", None),
    ("tangent", "FLOAT2", "vector", "binding/tangent", None),
)
_IN_ATTRIBUTES = {row[3] for row in POINT_ARRAYS} | {"deltas"}

_loaded: dict[int, BakedAvatar] = {}  # by session_uid of the payload mesh


class Arranged(NamedTuple):
    """An avatar laid out for a payload mesh. Making one needs no Blender, so a thread may."""

    avatar: BakedAvatar  # as it will be read again
    header: dict[str, Any]
    arrays: dict[str, np.ndarray]
    words: np.ndarray  # [A, N, 2] int32, see _words_from_deltas


def arrange(avatar: BakedAvatar) -> Arranged:
    """Lay an avatar out. Raises LayoutError when it breaks a rule of the format."""
    header, arrays = avatar_layout.pack(avatar)
    words = np.ascontiguousarray(_words_from_deltas(arrays["deltas"]))
    return Arranged(avatar_layout.unpack(header, arrays), header, arrays, words)


def store(arranged: Arranged) -> bpy.types.Mesh:
    """A new payload mesh, already read."""
    mesh = bpy.data.meshes.new(f"{arranged.avatar.name} payload")
    mesh.vertices.add(arranged.avatar.count)
    arrays = arranged.arrays
    for name, kind, prop, source, columns in POINT_ARRAYS:
        values = arrays[source] if columns is None else arrays[source][:, columns]
        _write(mesh, name, kind, prop, values)
    for index, words in enumerate(arranged.words):
        _write(mesh, _delta_name(index), "INT32_2D", "value", words)
    blob = io.BytesIO()
    np.savez(blob, **{k: v for k, v in arrays.items() if k not in _IN_ATTRIBUTES})
    mesh[ARRAYS] = blob.getvalue()
    mesh[HEADER] = json.dumps(arranged.header)
    _loaded[mesh.session_uid] = arranged.avatar
    return mesh


def load(mesh: bpy.types.Mesh) -> BakedAvatar:
    """The avatar of a payload mesh, read once per session. Raises AvatarFileError if damaged."""
    avatar = _loaded.get(mesh.session_uid)
    if avatar is None:
        avatar = _loaded[mesh.session_uid] = _read_avatar(mesh)
    return avatar


def is_in_file() -> bool:
    """Whether the file holds any payload; asked for each redraw, so it reads none."""
    return any(HEADER in mesh for mesh in bpy.data.meshes)


def forget() -> None:
    """Drop what was read; session_uids mean other meshes after a file is loaded."""
    _loaded.clear()


def forget_deleted() -> None:
    """Drop what was read from meshes that the file no longer has."""
    for uid in set(_loaded) - {mesh.session_uid for mesh in bpy.data.meshes}:
        del _loaded[uid]


def _read_avatar(mesh: bpy.types.Mesh) -> BakedAvatar:
    try:
        header = json.loads(mesh[HEADER])
        avatar_rules.check_header(header)
        with np.load(io.BytesIO(mesh[ARRAYS]), allow_pickle=False) as blob:
            arrays = dict(blob)
        counts = header["counts"]
        arrays["base"] = np.empty((counts["gaussians"], RAW_WIDTH), np.float32)
        for name, _, prop, source, columns in POINT_ARRAYS:
            values = _read(mesh, name, prop)
            if columns is None:
                arrays[source] = values
            else:
                arrays[source][:, columns] = values.reshape(len(values), -1)
        arrays["deltas"] = _read_deltas(mesh, counts["blendshapes"], counts["gaussians"])
        avatar_rules.check_arrays(header, arrays)
        return avatar_layout.unpack(header, arrays)
    except (KeyError, ValueError) as error:
        raise AvatarFileError(
            f"The Gaussians in '{mesh.name}' are damaged: {error}.",
            "Import the .likeness file again.",
        ) from error


def _delta_name(index: int) -> str:
    return f"deltas.{index:03d}"


def _words_from_deltas(deltas: np.ndarray) -> np.ndarray:
    """Halves [K, N, 14] as pairs of 32-bit words [A, N, 2], the widest exact integer attribute."""
    count = deltas.shape[1]
    halves = np.ascontiguousarray(np.moveaxis(deltas, 0, 1)).reshape(count, -1)
    padding = -halves.shape[1] % 4
    words = np.pad(halves, ((0, 0), (0, padding))).view(np.int32).reshape(count, -1, 2)
    return np.moveaxis(words, 1, 0)


def _read_deltas(mesh: bpy.types.Mesh, blendshapes: int, count: int) -> np.ndarray:
    width = blendshapes * RAW_WIDTH
    words = [_read(mesh, _delta_name(i), "value") for i in range(-(-width // 4))]
    if not words:
        return np.zeros((0, count, RAW_WIDTH), np.float16)
    halves = np.ascontiguousarray(np.stack(words, axis=1)).reshape(count, -1).view(np.float16)
    return np.moveaxis(halves[:, :width].reshape(count, blendshapes, -1), 1, 0)


def _write(mesh: bpy.types.Mesh, name: str, kind: str, prop: str, values: np.ndarray) -> None:
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set(prop, np.ascontiguousarray(values).ravel())


def _read(mesh: bpy.types.Mesh, name: str, prop: str) -> np.ndarray:
    """Values of a point attribute, [N] or [N, width]."""
    data = mesh.attributes[name].data
    probe = getattr(data[0], prop)
    width = len(probe) if hasattr(probe, "__len__") else 1
    dtype = np.int32 if isinstance(probe if width == 1 else probe[0], int) else np.float32
    values = np.empty(len(data) * width, dtype)
    data.foreach_get(prop, values)
    return values if width == 1 else values.reshape(-1, width)
