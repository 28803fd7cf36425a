"""Sliders of several avatars beside each other, as Blender shows them: one row for each avatar.

python -m tests.slider_sheet A.likeness B.likeness ... -o SHEET.png [--size 256]
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from building.environments import blender_recipe
from engine.api.avatar_file import read_info
from engine.pictures import SLIDERS, labelled, sheet

ROOT = Path(__file__).parents[1]
SHOWN = ("jaw open", "smile", "pucker", "blink", "brows up", "mouth left")


def main() -> None:
    """Let Blender draw each avatar, label the pictures, lay them out."""
    parser = argparse.ArgumentParser(description="Sliders as Blender shows them.")
    parser.add_argument("avatars", nargs="+", metavar="NAME.likeness")
    parser.add_argument("-o", "--output", required=True, metavar="PNG")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--blender", default="5.2", help="version of the bpy module")
    options = parser.parse_args()
    chosen = [(label, names) for label, names in SLIDERS if label in SHOWN]
    tiles = []
    for path in options.avatars:
        method = read_info(path)["info"]["method"]
        labels = [f"{method}: {label}" for label in ("neutral", *(label for label, _ in chosen))]
        pictures = drawn(path, [",".join(names) for _, names in chosen], options)
        tiles += [labelled(one / 255, label) for one, label in zip(pictures, labels, strict=True)]
    Image.fromarray(sheet(tiles, 1 + len(chosen))).save(options.output)


def drawn(path: str, sliders: list[str], options: argparse.Namespace) -> np.ndarray:
    """uint8 [1 + sliders, size, size, 3], by the add-on inside a Blender."""
    python = blender_recipe(options.blender).python
    with TemporaryDirectory() as folder:
        output = Path(folder) / "pictures.npy"
        command = [python, "-m", "tests.blender.slider_tiles", path, output, options.size, *sliders]
        subprocess.run([str(part) for part in command], cwd=ROOT, check=True)
        return np.load(output)


if __name__ == "__main__":
    main()
