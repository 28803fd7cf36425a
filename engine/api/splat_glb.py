"""glTF 2.0 with KHR_gaussian_splatting (ratified by Khronos), as one binary .glb file.

Each set of Gaussians is a node with a mesh of points. Values are linear: opacities 0..1, scales in
metres, rotations x, y, z, w; colours are spherical harmonics of degree 0 in display-referred sRGB.
COLOR_0 (linear RGB) shows a point cloud where the extension is not known. y is up, the face looks
along +z, as glTF wants it. It does not know avatars or axes (splat_files).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .atomic import replacing
from .baked import GaussianArrays
from .splat_ply import harmonics

EXTENSION = "KHR_gaussian_splatting"
FLOAT, ARRAY_BUFFER, POINTS = 5126, 34962, 0  # glTF's numbers
GLB_MAGIC, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942


def write_glb(path: str | Path, named: Mapping[str, GaussianArrays]) -> None:
    """Write sets of N Gaussians by node name, whole or not at all. Raises OSError."""
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Likeness"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": list(range(len(named)))}],
        "nodes": [{"name": name, "mesh": index} for index, name in enumerate(named)],
        "meshes": [],
        "accessors": [],
        "bufferViews": [],
    }
    chunks: list[bytes] = []
    for name, gaussians in named.items():
        attributes = {
            semantic: _add_accessor(document, chunks, values)
            for semantic, values in _attributes(gaussians).items()
        }
        document["meshes"].append({"name": name, "primitives": [_primitive(attributes)]})
    binary = b"".join(chunks)
    document["buffers"] = [{"byteLength": len(binary)}]
    _write(path, json.dumps(document, separators=(",", ":")).encode("utf-8"), binary)


def _attributes(gaussians: GaussianArrays) -> dict[str, np.ndarray]:
    """Semantic -> values [N, width], little-endian float32."""
    opacities = np.clip(gaussians.opacities, 0, 1)[:, None]
    quats = gaussians.quats / np.linalg.norm(gaussians.quats, axis=-1, keepdims=True)
    values = {
        "POSITION": gaussians.means,
        "COLOR_0": np.concatenate([_linear(gaussians.colors), opacities], axis=1),
        f"{EXTENSION}:ROTATION": quats[:, [1, 2, 3, 0]],
        f"{EXTENSION}:SCALE": gaussians.scales,
        f"{EXTENSION}:OPACITY": opacities,
        f"{EXTENSION}:SH_DEGREE_0_COEF_0": harmonics(gaussians.colors),
    }
    return {name: np.ascontiguousarray(array, "<f4") for name, array in values.items()}


def _linear(colors: np.ndarray) -> np.ndarray:
    """Display-referred sRGB to linear, both 0..1 (IEC 61966-2-1)."""
    colors = np.clip(colors, 0, 1)
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def _primitive(attributes: dict[str, int]) -> dict[str, Any]:
    kind = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    return {"attributes": attributes, "mode": POINTS, "extensions": {EXTENSION: kind}}


def _add_accessor(document: dict[str, Any], chunks: list[bytes], values: np.ndarray) -> int:
    """Append values [N, width] to the buffer and describe them. Returns the accessor's index."""
    accessor = {
        "bufferView": len(document["bufferViews"]),
        "componentType": FLOAT,
        "count": len(values),
        "type": {1: "SCALAR", 3: "VEC3", 4: "VEC4"}[values.shape[1]],
        "min": values.min(axis=0).tolist(),
        "max": values.max(axis=0).tolist(),
    }
    start = sum(map(len, chunks))
    chunks.append(values.tobytes())  # floats keep every view aligned to 4 bytes
    document["bufferViews"].append(
        {"buffer": 0, "byteOffset": start, "byteLength": values.nbytes, "target": ARRAY_BUFFER}
    )
    document["accessors"].append(accessor)
    return len(document["accessors"]) - 1


def _write(path: str | Path, document: bytes, binary: bytes) -> None:
    document += b" " * (-len(document) % 4)
    length = 12 + 8 + len(document) + 8 + len(binary)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<III", GLB_MAGIC, 2, length))
        file.write(struct.pack("<II", len(document), JSON_CHUNK) + document)
        file.write(struct.pack("<II", len(binary), BINARY_CHUNK) + binary)
