"""Readers of the exported files written from their specifications alone, for the tests only."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

COMPONENTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def read_ply(path: Path) -> dict[str, np.ndarray]:
    """Columns of the vertex element of a binary little-endian PLY of floats, by property name."""
    data = path.read_bytes()
    head, _, body = data.partition(b"end_header\n")
    lines = head.decode("ascii").split("\n")
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    words = [line.split() for line in lines[2:] if line]
    count = next(int(line[2]) for line in words if line[:2] == ["element", "vertex"])
    names = [line[2] for line in words if line[:2] == ["property", "float"]]
    assert len(body) == 4 * count * len(names)
    rows = np.array(struct.unpack(f"<{count * len(names)}f", body)).reshape(count, len(names))
    return dict(zip(names, rows.T, strict=True))


def gaussians_of_ply(columns: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Means, rotations (w, x, y, z), scales, opacities, colours as 3DGS's own code decodes them."""

    def stack(*names: str) -> np.ndarray:
        return np.stack([columns[name] for name in names], axis=-1)

    quats = stack("rot_0", "rot_1", "rot_2", "rot_3")
    return (
        stack("x", "y", "z"),
        quats / np.linalg.norm(quats, axis=-1, keepdims=True),
        np.exp(stack("scale_0", "scale_1", "scale_2")),
        1 / (1 + np.exp(-columns["opacity"])),
        0.5 + 0.28209479177387814 * stack("f_dc_0", "f_dc_1", "f_dc_2"),
    )


def read_glb(path: Path) -> tuple[dict, list[dict[str, np.ndarray]]]:
    """The JSON of a .glb, and for each mesh's only primitive its attributes [N, width]."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    binary_size, binary_kind = struct.unpack_from("<I4s", data, 20 + size)
    assert binary_kind == b"BIN\0"
    binary = data[28 + size :]
    assert len(binary) == binary_size == document["buffers"][0]["byteLength"]
    meshes = []
    for mesh in document["meshes"]:
        attributes = mesh["primitives"][0]["attributes"]
        meshes.append({name: _accessor(document, binary, i) for name, i in attributes.items()})
    return document, meshes


def _accessor(document: dict, binary: bytes, index: int) -> np.ndarray:
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    assert accessor["componentType"] == 5126
    assert view["byteOffset"] % 4 == 0
    width = COMPONENTS[accessor["type"]]
    assert view["byteLength"] == accessor["count"] * width * 4
    values = struct.unpack_from(f"<{accessor['count'] * width}f", binary, view["byteOffset"])
    array = np.array(values).reshape(-1, width)
    np.testing.assert_allclose(accessor["min"], array.min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(accessor["max"], array.max(axis=0), rtol=1e-6)
    return array
