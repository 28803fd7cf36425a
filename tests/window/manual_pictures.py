"""Takes the manual's pictures from a real Blender window: docs/img/viewport.jpg, docs/img/manual/*.

usage: python tests/window/manual_pictures.py AVATAR.likeness [FOLDER]

Needs root and the chroot of install_blender.sh, as the window tests do. Give an avatar of the
built-in sample: pictures of people are not ours to publish.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import blender_window  # noqa: E402

from building import extension  # noqa: E402
from engine.api.avatar_file import read_avatar  # noqa: E402
from engine.jobs.previews import write_picture  # noqa: E402
from engine.tracking.findings import RULES  # noqa: E402

PICTURES = ROOT / "docs" / "img" / "manual"
MOST_BYTES = 150_000
FINDINGS = ("mouth_closed", "never_left", "no_frown")
MARGIN = 6  # pixels left below the last button


def main(avatar: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as keep:
        report, picture = Path(keep) / "report.json", Path(keep) / "picture.png"
        report.write_text(json.dumps(example_report()))
        write_picture(picture, read_avatar(avatar))
        files = [avatar, extension.package(), report, picture]
        scenario = HERE / "scenario_manual.py"
        seen = blender_window.run_scenario(scenario, files, Path(keep), seconds=900)
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in seen.pictures.items():
        left, top, right, bottom = seen.facts[name]
        shown = without_empty_rows(pixels[top:bottom, left:right])
        whole = name == "window"
        write(folder.parent / "viewport.jpg" if whole else folder / f"{name}.jpg", shown)


def example_report() -> dict[str, list[dict[str, str]]]:
    """What tracking says of footage in which three things are wanting."""
    rules = [rule for rule in RULES if rule.name in FINDINGS]
    return {
        "findings": [
            {"severity": rule.severity, "words": rule.words, "advice": rule.advice}
            for rule in rules
        ]
    }


def without_empty_rows(pixels: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] without the rows of one colour at its lower end."""
    inner = pixels[:-10, 4:-40]  # neither the area's edges nor the tabs beside the panels
    filled = np.flatnonzero(np.ptp(inner, axis=1).max(-1) > 24)
    return pixels[: filled[-1] + 1 + MARGIN] if len(filled) else pixels


def write(path: Path, pixels: np.ndarray) -> None:
    """As a JPEG of the best quality that is small enough. Raises ValueError if none is."""
    picture = Image.fromarray(pixels)
    for quality in (92, 85, 75, 60):
        picture.save(path, quality=quality, subsampling=0, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size // 1024} KiB")
            return
    raise ValueError(f"{path} is larger than {MOST_BYTES} bytes.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else PICTURES)
