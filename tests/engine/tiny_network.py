"""A network with exactly the inputs and outputs of Robust Video Matting's ONNX files, by hand.

Its matte is half the red channel and half its own last matte, so that the memory shows.
"""

from __future__ import annotations

import struct
from pathlib import Path

FLOAT, INT64 = 1, 7
STATES = ("r1", "r2", "r3", "r4")


def number(field: int, value: int) -> bytes:
    """A varint field of a protobuf message."""
    return varint(field << 3) + varint(value)


def block(field: int, content: bytes | str) -> bytes:
    """A length-delimited field: a message, bytes or a text."""
    data = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def node(kind: str, inputs: list[str], output: str, axis: int | None = None) -> bytes:
    parts = [block(1, name) for name in inputs] + [block(2, output), block(4, kind)]
    if axis is not None:
        parts.append(block(5, block(1, "axis") + number(3, axis) + number(20, 2)))
    return block(1, b"".join(parts))


def tensor(name: str, kind: int, data: bytes) -> bytes:
    return block(5, number(1, 1) + number(2, kind) + block(8, name) + block(9, data))


def value(field: int, name: str, kind: int = FLOAT) -> bytes:
    return block(field, block(1, name) + block(2, block(1, number(1, kind))))


def write_network(path: Path, matte: str = "pha") -> Path:
    """The network; with another name for the `matte` it is no longer one that we know."""
    nodes = [
        node("Gather", ["src", "first"], "red", axis=1),
        node("Mul", ["red", "half"], "now"),
        node("Mul", ["r1i", "half"], "before"),
        node("Add", ["now", "before"], matte),
        node("Identity", [matte], "r1o"),
        node("Mul", ["src", "downsample_ratio"], "fgr"),
        *(node("Identity", [f"{name}i"], f"{name}o") for name in STATES[1:]),
    ]
    constants = [
        tensor("first", INT64, struct.pack("<q", 0)),
        tensor("half", FLOAT, struct.pack("<f", 0.5)),
    ]
    inputs = ["src", *(f"{name}i" for name in STATES), "downsample_ratio"]
    outputs = ["fgr", matte, *(f"{name}o" for name in STATES)]
    graph = b"".join(
        [
            *nodes,
            block(2, "tiny"),
            *constants,
            *(value(11, name) for name in inputs),
            *(value(12, name) for name in outputs),
        ]
    )
    path.write_bytes(number(1, 8) + block(8, block(1, "") + number(2, 13)) + block(7, graph))
    return path
