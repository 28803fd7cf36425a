"""A contact sheet of made-up people, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..api.errors import LikenessError
from ..imaging import write_png
from .person import make_person
from .studio import film

GROUND = 0.78


def people_sheet(path: str | Path, seeds: Sequence[int], columns: int, size: int = 192) -> None:
    """Write one picture of each person as PNG. Raises LikenessError when it cannot be written."""
    tiles = []
    for seed in seeds:
        picture = film(make_person(seed), 0, 1, size, around=0.6).pictures[0].numpy()
        over = picture[..., :3] + (1 - picture[..., 3:]) * GROUND
        tiles.append((np.clip(over, 0, 1) * 255 + 0.5).astype(np.uint8))
    tiles += [np.full_like(tiles[0], round(255 * GROUND))] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    try:
        write_png(path, np.vstack(rows))
    except OSError as error:
        raise LikenessError(
            f"The sheet cannot be written to {path}: {error.strerror}.", "Choose another folder."
        ) from error
