"""Runs a scenario in a real Blender window: Debian's Blender in a chroot, under Xvfb on llvmpipe.

The chroot is made by install_blender.sh. Mounts and processes live in namespaces of the one command
that needs them, so nothing stays mounted or running, whatever happens.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from xwd import read_xwd

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHROOT = Path(os.environ.get("LIKENESS_CACHE", "/var/tmp/likeness")) / "blender-sid"
SHOTS = ROOT / "out" / "window"
WIDTH, HEIGHT = 1280, 800
ENTER = """
set -e
mount --bind /proc "$1/proc"
mount --bind /dev "$1/dev"
exec chroot "$@"
"""


class Seen(NamedTuple):
    """What a scenario left behind."""

    pictures: dict[str, np.ndarray]  # [HEIGHT, WIDTH, 3] uint8, rows from the top
    facts: dict
    folder: Path
    said: str  # what Blender printed


def run_scenario(scenario: Path, files: Iterable[Path], keep: Path, seconds: float = 180) -> Seen:
    """Run a scenario file with some files beside it; its pictures also go to out/window/*.png.

    `keep` receives everything the scenario wrote. Raises AssertionError with Blender's words.
    """
    folder = Path(tempfile.mkdtemp(prefix="likeness-", dir=CHROOT / "tmp"))
    try:
        (folder / "screen").mkdir()  # two runs at a time have two screens
        for file in [HERE / "inside.py", HERE / "xwd.py", scenario, *files]:
            shutil.copy(file, folder / file.name)
        inside = Path("/") / folder.relative_to(CHROOT)
        said = _blender(inside, scenario.name, seconds)
        keep.mkdir(parents=True, exist_ok=True)
        for file in filter(Path.is_file, folder.iterdir()):
            shutil.copy(file, keep)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    pictures = {path.stem: read_xwd(path) for path in sorted(keep.glob("*.xwd"))}
    SHOTS.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(SHOTS / f"{name}.png")
    error = keep / "error.txt"
    assert not error.exists(), f"{error.read_text()}\n{said[-2000:]}"
    assert (keep / "facts.json").exists(), f"Blender ended early:\n{said[-3000:]}"
    return Seen(pictures, json.loads((keep / "facts.json").read_text()), keep, said)


def _blender(inside: Path, scenario: str, seconds: float) -> str:
    screen = f"-screen 0 {WIDTH}x{HEIGHT}x24 +extension GLX -fbdir {inside}/screen"
    variables = [
        "LIBGL_ALWAYS_SOFTWARE=1",
        f"HOME={inside}",
        f"BLENDER_USER_RESOURCES={inside}/user",
    ]
    blender = [
        "blender",
        "-noaudio",
        "--factory-startup",
        "--window-geometry",
        "0",
        "0",
        str(WIDTH),
        str(HEIGHT),
    ]
    script = ["--python", str(inside / "inside.py"), "--", str(inside), str(inside / scenario)]
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "enter"]
    command += [str(CHROOT), "xvfb-run", "-a", "-s", screen, "env", *variables, *blender, *script]
    done = subprocess.run(
        ["timeout", "--kill-after=5", str(seconds), *command], capture_output=True, text=True
    )
    return done.stdout + done.stderr
