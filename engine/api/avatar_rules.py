"""The rules that a .likeness file's header and arrays must keep, checked before use.

A file comes from anywhere, so nothing in it is believed: counts are bounded before anything is
allocated, indices stay inside what they index, every number is finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .head import JOINTS

FORMAT = "likeness avatar"
VERSION = 2  # 1 is the same without what levels of detail add
RAW_WIDTH = 14  # columns of the raw block: 11 + 3 colours

# Largest legal counts: a bound on memory, far above what any method makes.
MAX_COUNTS = {
    "gaussians": 2_000_000,
    "blendshapes": 256,
    "vertices": 200_000,
    "faces": 400_000,
    "expressions": 1_000,
    "codes": 1_000,
    "landmarks": 10_000,
    "frames": 1_000_000,
    "test_frames": 1_000_000,
    "expression_rows": 1 << 25,
}
EMPTY_ALLOWED = {"blendshapes", "expressions", "codes", "test_frames", "expression_rows"}
MAX_BYTES = 2 << 30  # of all arrays together
MAX_DENSE_ROWS = 1 << 24  # expressions x vertices once they are dense again: 200 MB
MAX_LAYERS, MAX_LAYER_SIZE = 8, 4096
MAX_NAME = 200
MAX_IMAGE_SIDE = 16_384

# name -> (dtype as stored, shape by count). Deltas are float16: each value is rounded by at most
# 2^-12 of itself (4 micrometres on 1.5 cm); the base that they are added to stays float32.
ARRAYS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "head/vertices": ("<f4", ("vertices", 3)),
    "head/faces": ("<i4", ("faces", 3)),
    "head/face_uvs": ("<f4", ("faces", 3, 2)),
    "head/expression_rows": ("<i4", ("expression_rows",)),
    "head/expression_values": ("<f2", ("expression_rows", 3)),
    "head/joint_positions": ("<f4", (len(JOINTS), 3)),
    "head/skin_weights": ("<f4", ("vertices", len(JOINTS))),
    "head/code_matrix": ("<f4", ("codes", "drivers")),
    "head/landmark_faces": ("<i4", ("landmarks",)),
    "head/landmark_barycentrics": ("<f4", ("landmarks", 3)),
    "head/face_regions": ("|u1", ("faces",)),
    "head/mirror_vertices": ("<i4", ("vertices",)),
    "binding/face": ("<i4", ("gaussians",)),
    "binding/barycentric": ("<f4", ("gaussians", 3)),
    "binding/tangent": ("<f4", ("gaussians", 2)),
    "base": ("<f4", ("gaussians", RAW_WIDTH)),
    "deltas": ("<f2", ("blendshapes", "gaussians", RAW_WIDTH)),
    "performance/expression": ("<f4", ("frames", "expressions")),
    "performance/neck": ("<f4", ("frames", 3)),
    "performance/jaw": ("<f4", ("frames", 3)),
    "performance/eyes": ("<f4", ("frames", 2, 3)),
    "performance/rotation": ("<f4", ("frames", 3)),
    "performance/translation": ("<f4", ("frames", 3)),
    "performance/times": ("<f8", ("frames",)),
    "performance/confidence": ("<f4", ("frames",)),
    "performance/test_frames": ("<i4", ("test_frames",)),
    "performance/viewmat": ("<f8", (4, 4)),
    "performance/K": ("<f8", (3, 3)),
}


class LayoutError(ValueError):
    """A header or an array that breaks a rule of the format. The text says which."""


def require(condition: Any, rule: str) -> None:
    """Raise LayoutError(rule) unless the condition holds."""
    if not condition:
        raise LayoutError(rule)


def array_table(header: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Every array a file with this (checked) header must hold: name -> (dtype, shape)."""
    counts = header["counts"]
    # A head's driver is its expressions, then jaw, two eyes and neck, three numbers each.
    sizes = {**counts, "drivers": counts["expressions"] + 12}
    table = {
        name: (dtype, tuple(sizes[n] if isinstance(n, str) else n for n in shape))
        for name, (dtype, shape) in ARRAYS.items()
    }
    layers = header["weight_layers"]
    for index, (inputs, outputs) in enumerate(zip(layers[:-1], layers[1:], strict=True)):
        table[f"weight_map/{index}/weight"] = ("<f4", (outputs, inputs))
        table[f"weight_map/{index}/bias"] = ("<f4", (outputs,))
    if header["version"] > 1:
        table["level_offsets"] = ("<f2", (sum(header["levels"][1:]), RAW_WIDTH))
    return table


def array_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of an array's data, in Python integers that cannot overflow."""
    size = np.dtype(dtype).itemsize
    for n in shape:
        size *= n
    return size


def check_header(header: Any) -> None:
    """Raise LayoutError unless the header is complete, of the right types, and within bounds."""
    require(isinstance(header, dict), "its header is not a JSON object")
    require(_is_int(header.get("version"), 1, VERSION), "its version is illegal")
    for key in ("counts", "head", "camera", "info"):
        require(isinstance(header.get(key), dict), f"its header has no {key}")
    require(_is_name(header.get("name")), "its header has no legal name")
    counts = header["counts"]
    require(set(counts) == set(MAX_COUNTS), "its header lists the wrong counts")
    for key, most in MAX_COUNTS.items():
        least = 0 if key in EMPTY_ALLOWED else 1
        require(_is_int(counts[key], least, most), f"its count of {key} is not {least} to {most}")
    dense_rows = counts["expressions"] * counts["vertices"]
    require(dense_rows <= MAX_DENSE_ROWS, "it has too many expressions on too many vertices")
    require(counts["expression_rows"] <= dense_rows, "it moves more vertices than there are")
    _check_layers(header.get("weight_layers"), counts)
    _check_levels(header.get("levels"), counts["gaussians"])
    require(header["version"] == 1 or len(header["levels"]) > 1, "its levels of detail are missing")
    _check_head(header["head"], counts)
    camera = header["camera"]
    for key in ("width", "height"):
        require(_is_int(camera.get(key), 1, MAX_IMAGE_SIDE), f"its camera has no legal {key}")
    fps = camera.get("fps")
    require(isinstance(fps, int | float) and 0 < fps <= 1000, "its camera has no legal fps")
    total = sum(array_bytes(*entry) for entry in array_table(header).values())
    require(total <= MAX_BYTES, f"it would need {total / 1e9:.0f} GB of memory")


def _is_int(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


def _check_layers(layers: Any, counts: dict[str, int]) -> None:
    require(isinstance(layers, list) and 1 <= len(layers) <= MAX_LAYERS, "it has no weight map")
    require(all(_is_int(n, 0, MAX_LAYER_SIZE) for n in layers), "its weight map has illegal sizes")
    require(layers[0] == counts["codes"], "its weight map does not start at the expression code")
    # Without blendshapes there is nothing to map to, and no layers are needed.
    unmapped = len(layers) == 1 and not counts["blendshapes"]
    ends_well = unmapped or layers[-1] == counts["blendshapes"]
    require(ends_well, "its weight map does not end at the blendshapes")


def _check_levels(levels: Any, gaussians: int) -> None:
    require(isinstance(levels, list) and 1 <= len(levels) <= 64, "it has no levels of detail")
    require(all(_is_int(n, 1, gaussians) for n in levels), "its levels of detail are illegal")
    require(levels[0] == gaussians, "its first level of detail is not the whole avatar")
    require(sorted(set(levels), reverse=True) == levels, "its levels of detail do not descend")


def _check_head(head: dict[str, Any], counts: dict[str, int]) -> None:
    require(_is_name(head.get("name")), "its head has no legal name")
    require(isinstance(head.get("licence"), str), "its head has no licence")
    limits = {"expression_names": counts["expressions"], "code_names": counts["codes"]}
    for key in ("expression_names", "code_names", "region_names"):
        names: Any = head.get(key)
        require(isinstance(names, list) and all(map(_is_name, names)), f"its {key} are illegal")
        require(len(set(names)) == len(names), f"its {key} repeat")
        require(len(names) == limits.get(key, len(names)), f"its {key} are not as many as counted")
    require(1 <= len(head["region_names"]) <= 256, "its region_names are not 1 to 256")


def check_arrays(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Raise LayoutError unless the stored arrays are finite and their indices inside bounds."""
    for name, array in arrays.items():
        require(array.dtype.kind != "f" or np.isfinite(array).all(), f"{name} is not finite")
    counts = header["counts"]
    for name, least, limit in (
        ("head/faces", 0, counts["vertices"]),
        ("head/mirror_vertices", 0, counts["vertices"]),
        ("head/landmark_faces", -1, counts["faces"]),
        ("head/face_regions", 0, len(header["head"]["region_names"])),
        ("head/expression_rows", 0, counts["expressions"] * counts["vertices"]),
        ("binding/face", 0, counts["faces"]),
        ("performance/test_frames", 0, counts["frames"]),
    ):
        inside = (arrays[name] >= least) & (arrays[name] < limit)
        require(inside.all(), f"{name} points outside {least} to {limit - 1}")
    rows = arrays["head/expression_rows"]
    require((rows[1:] > rows[:-1]).all(), "head/expression_rows do not ascend")
    for name in ("head/skin_weights", "binding/barycentric"):
        sums = arrays[name].sum(axis=-1)
        require((abs(sums - 1) < 1e-2).all(), f"rows of {name} do not sum to 1")
    confidence = arrays["performance/confidence"]
    require(((confidence >= 0) & (confidence <= 1)).all(), "performance/confidence leaves 0 to 1")
    _check_quats(arrays["base"], "base")
    for count, offsets in zip(header["levels"][1:], offsets_by_level(header, arrays), strict=False):
        _check_quats(arrays["base"][:count] + offsets, f"the level of {count} Gaussians")
    require((np.diagonal(arrays["performance/K"]) > 0).all(), "performance/K is not a camera")


def _check_quats(raw: np.ndarray, name: str) -> None:
    lengths = np.linalg.norm(raw[:, 3:7], axis=-1)
    require((lengths > 1e-8).all(), f"{name} has a quaternion of length 0")


def offsets_by_level(
    header: dict[str, Any], arrays: dict[str, np.ndarray]
) -> tuple[np.ndarray, ...]:
    """What each level of detail but the first adds to its base [n, 14]; nothing in version 1."""
    if "level_offsets" not in arrays:
        return ()
    ends = np.cumsum(header["levels"][1:])
    return tuple(np.split(arrays["level_offsets"].astype(np.float32), ends[:-1]))
