"""A baked avatar as a JSON header and flat arrays, and back: what a .likeness file holds.

It does not know files or zips (avatar_file). The rules of avatar_rules are checked before writing
and after reading, so what this tool wrote can always be read. For people: docs/formats.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .avatar_rules import (
    FORMAT,
    RAW_WIDTH,
    VERSION,
    LayoutError,
    array_table,
    check_arrays,
    check_header,
    offsets_by_level,
    require,
)
from .baked import BakedAvatar, Binding, Performance, WeightMap
from .head import HeadModel, HeadParams

__all__ = ["RAW_WIDTH", "LayoutError", "pack", "unpack"]

PARAMS = ("expression", "neck", "jaw", "eyes", "rotation", "translation")


def pack(avatar: BakedAvatar) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and arrays of an avatar, as stored. Raises LayoutError when it breaks a rule.

    The head is stored personalised: an identity basis, where there still is one, is left out.
    """
    rows, values = _sparse(avatar.head.expression_deltas)
    derived = {
        "head/expression_rows": rows,
        "head/expression_values": values,
        "base": avatar.base,
        "deltas": avatar.deltas,
        "level_offsets": np.concatenate([np.zeros((0, RAW_WIDTH)), *avatar.level_offsets]),
    }
    for name in PARAMS:
        derived[f"performance/{name}"] = getattr(avatar.performance.params, name)
    for index, (weight, bias) in enumerate(avatar.weight_map.layers):
        derived[f"weight_map/{index}/weight"] = weight
        derived[f"weight_map/{index}/bias"] = bias
    header = _header(avatar, len(rows))
    check_header(header)
    arrays = {}
    for name, (dtype, shape) in array_table(header).items():
        owner, _, attribute = name.partition("/")
        source = derived[name] if name in derived else getattr(getattr(avatar, owner), attribute)
        require(np.shape(source) == shape, f"{name} has shape {np.shape(source)}, not {shape}")
        with np.errstate(over="ignore"):  # a delta beyond float16 becomes inf and is refused below
            arrays[name] = np.ascontiguousarray(source, dtype)
    check_arrays(header, arrays)
    return header, arrays


def unpack(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> BakedAvatar:
    """The avatar of a checked header and checked arrays."""
    counts, camera, head = header["counts"], header["camera"], header["head"]

    def part(prefix: str, *skip: str) -> dict[str, Any]:
        fields = {n.partition("/")[2]: a for n, a in arrays.items() if n.startswith(f"{prefix}/")}
        return {name: array for name, array in fields.items() if name not in skip}

    expressions = np.zeros((counts["expressions"] * counts["vertices"], 3), np.float32)
    expressions[arrays["head/expression_rows"]] = arrays["head/expression_values"]
    model = HeadModel(
        name=head["name"],
        licence=head["licence"],
        expression_names=tuple(head["expression_names"]),
        expression_deltas=expressions.reshape(counts["expressions"], counts["vertices"], 3),
        code_names=tuple(head["code_names"]),
        region_names=tuple(head["region_names"]),
        identity_deltas=np.zeros((0, counts["vertices"], 3), np.float32),
        **part("head", "expression_rows", "expression_values"),
    )
    layers = tuple(
        (arrays[f"weight_map/{index}/weight"], arrays[f"weight_map/{index}/bias"])
        for index in range(len(header["weight_layers"]) - 1)
    )
    return BakedAvatar(
        name=header["name"],
        head=model,
        binding=Binding(**part("binding")),
        base=arrays["base"],
        deltas=arrays["deltas"].astype(np.float32),
        weight_map=WeightMap(layers),
        levels=tuple(header["levels"]),
        performance=Performance(
            params=HeadParams(**{name: arrays[f"performance/{name}"] for name in PARAMS}),
            width=camera["width"],
            height=camera["height"],
            fps=float(camera["fps"]),
            **part("performance", *PARAMS),
        ),
        info=header["info"],
        level_offsets=offsets_by_level(header, arrays),
    )


def _sparse(deltas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [S] (expression * V + vertex) of the moved vertices in [E, V, 3], and their values."""
    flat = np.asarray(deltas).reshape(-1, 3)
    rows = np.flatnonzero(flat.any(axis=-1))
    return rows, flat[rows]


def _header(avatar: BakedAvatar, expression_rows: int) -> dict[str, Any]:
    head, performance, layers = avatar.head, avatar.performance, avatar.weight_map.layers
    inputs = len(head.code_names)
    return {
        "format": FORMAT,
        "version": VERSION if avatar.level_offsets else 1,
        "name": avatar.name,
        "counts": {
            "gaussians": len(avatar.base),
            "blendshapes": len(avatar.deltas),
            "vertices": len(head.vertices),
            "faces": len(head.faces),
            "expressions": len(head.expression_names),
            "codes": inputs,
            "landmarks": len(head.landmark_faces),
            "frames": len(performance.times),
            "test_frames": len(performance.test_frames),
            "expression_rows": expression_rows,
        },
        "weight_layers": [inputs, *(len(bias) for _, bias in layers)],
        "levels": [int(level) for level in avatar.levels],
        "head": {
            "name": head.name,
            "licence": head.licence,
            "expression_names": list(head.expression_names),
            "code_names": list(head.code_names),
            "region_names": list(head.region_names),
        },
        "camera": {
            "width": int(performance.width),
            "height": int(performance.height),
            "fps": float(performance.fps),
        },
        "info": avatar.info,
    }
