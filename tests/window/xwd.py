"""Pictures of an X server's screen: the XWD files that `Xvfb -fbdir` keeps up to date."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np


def read_xwd(path: Path) -> np.ndarray:
    """Pixels [H, W, 3] uint8 of an X window dump of 24-bit colour (X11/XWDFile.h, version 7)."""
    data = path.read_bytes()
    header = struct.unpack(">25I", data[:100])
    header_size, version, width, height = header[0], header[1], header[4], header[5]
    bits, stride, colors = header[11], header[12], header[19]
    if version != 7 or bits != 32:
        raise ValueError(f"{path.name} is not an XWD picture of 32 bits a pixel")
    begin = header_size + colors * 12
    rows = np.frombuffer(data, np.uint8, stride * height, begin).reshape(height, stride)
    return rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1].copy()
