"""Join rendered frames: `python demo/film.py FRAMES FILM.mp4 FPS`, in the engine's environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.imaging import read_image
from engine.video import encode


def pictures(folder: Path) -> Iterator[np.ndarray]:
    """The folder's pictures [H, W, 3] uint8 in name order. Raises FileNotFoundError without any."""
    paths = sorted(folder.glob("*.png"))
    if not paths:
        raise FileNotFoundError(f"no frames in {folder}")
    for path in paths:
        found = read_image(path)
        if found is None:
            raise ValueError(f"{path} is no picture")
        yield found[0]


if __name__ == "__main__":
    source = Path(sys.argv[1])
    height, width = next(pictures(source)).shape[:2]
    encode(Path(sys.argv[2]), pictures(source), width, height, float(sys.argv[3]))
