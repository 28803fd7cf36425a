"""The built-in sample clip: a talking person made from a portrait, with known ground truth.

Offline, the same on every machine; for the demo, the tests and the benchmarks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..api.head import HeadParams
from ..heads.builtin import builtin_head
from ..imaging import resize
from ..video import encode
from .camera import FRAME, MARGIN, SIZE, camera_matrix
from .draw import draw
from .performance import perform
from .portrait import load_portrait
from .puppet import Puppet, build_puppet

FPS = 25.0
SUPERSAMPLING = 2
NOISE = 0.006  # standard deviation of the camera's noise


def make_sample(
    path: str | Path,
    seconds: float = 14.0,
    seed: int = 7,
    progress: Callable[[str, float], None] | None = None,
) -> None:
    """Write the sample video (H.264) to `path` and its ground truth beside it as .truth.npz."""
    puppet = build_puppet(builtin_head(), load_portrait())
    params = puppet.placed(perform(puppet.head.expression_names, seconds, FPS, seed))
    path = Path(path)

    def frames() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(seed)
        for index in range(len(params)):
            image, _ = draw_frame(puppet, params[index])
            noisy = image + rng.normal(0, NOISE, image.shape)
            yield np.clip(noisy * 255 + 0.5, 0, 255).astype(np.uint8)
            if progress:
                progress("sample", (index + 1) / len(params))

    encode(path, frames(), FRAME, FRAME, FPS)
    write_truth(path.with_suffix(".truth.npz"), puppet, params)


def draw_frame(puppet: Puppet, params: HeadParams) -> tuple[np.ndarray, np.ndarray]:
    """One clean frame [FRAME, FRAME, 3] float32 and its true matte [FRAME, FRAME]."""
    n = SIZE * SUPERSAMPLING
    plate = np.repeat(np.repeat(puppet.portrait.plate, SUPERSAMPLING, 0), SUPERSAMPLING, 1)
    image, coverage = draw(puppet.surfaces(params), camera_matrix(SUPERSAMPLING), n, n, plate)
    window = slice(MARGIN, -MARGIN)
    return resize(image, SIZE, SIZE)[window, window], resize(coverage, SIZE, SIZE)[window, window]


def write_truth(path: Path, puppet: Puppet, params: HeadParams) -> None:
    """What the camera filmed, exactly: params, the person's neutral vertices, the camera."""
    temporary = path.with_suffix(".part.npz")
    np.savez_compressed(
        temporary, vertices=puppet.head.vertices, K=camera_matrix(1, FRAME), fps=FPS, **vars(params)
    )
    os.replace(temporary, path)
