"""Runs scenarios in a real Blender window: Debian's Blender in a chroot, under Xvfb on llvmpipe.

The chroot is made by install_blender.sh. Mounts and processes live in namespaces of the one command
that needs them, so nothing stays mounted or running, whatever happens.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from xwd import read_xwd

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from building.environments import engine_recipe  # noqa: E402

CHROOT = Path(os.environ.get("LIKENESS_CACHE", "/var/tmp/likeness")) / "blender-sid"
SHOTS = ROOT / "out" / "window"
WIDTH, HEIGHT = 1280, 800
BACKEND = os.environ.get("LIKENESS_GPU_BACKEND", "opengl")  # or vulkan, with mesa-vulkan-drivers
ENTER = """
set -e
mount --bind /proc "$1/proc"
mount --bind /dev "$1/dev"
mount --bind "$1$2" "$2"
mount --rbind / "$1/mnt"
root=$1
shift 2
exec chroot "$root" "$@"
"""
ENGINE = """#!/bin/sh
exec chroot /mnt {python} "$@"
"""
"""What the chroot's Blender starts as the engine's Python: the machine's own, outside the chroot.
The scenario's folder has the same path in both."""


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
    return run_sessions([scenario], files, keep, seconds)[0]


def run_sessions(
    scenarios: Iterable[Path], files: Iterable[Path], keep: Path, seconds: float
) -> list[Seen]:
    """One Blender after the other in one folder, which holds the user's files and `engine-python`,
    the machine's own Python with the avatar engine. See `run_scenario`."""
    outside = Path(tempfile.mkdtemp(prefix="likeness-"))
    folder = CHROOT / outside.relative_to("/")
    try:
        (folder / "screen").mkdir(parents=True)  # two runs at a time have two screens
        for file in [HERE / "inside.py", HERE / "xwd.py", *files]:
            shutil.copy(file, folder / file.name)
        python = folder / "engine-python"
        python.write_text(ENGINE.format(python=engine_recipe().python))
        python.chmod(0o755)
        return [_session(one, folder, outside, keep / one.stem, seconds) for one in scenarios]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        outside.rmdir()


def _session(scenario: Path, folder: Path, inside: Path, keep: Path, seconds: float) -> Seen:
    """One Blender; what it wrote of itself is moved to `keep`."""
    shutil.copy(scenario, folder)
    said = _blender(inside, scenario.name, seconds)
    keep.mkdir(parents=True, exist_ok=True)
    for file in filter(Path.is_file, folder.iterdir()):
        written = file.suffix == ".xwd" or file.name in ("facts.json", "error.txt")
        (shutil.move if written else shutil.copy)(file, keep / file.name)
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
        "--gpu-backend",
        BACKEND,
        "--factory-startup",
        "--window-geometry",
        "0",
        "0",
        str(WIDTH),
        str(HEIGHT),
    ]
    script = ["--python", str(inside / "inside.py"), "--", str(inside), str(inside / scenario)]
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "enter"]
    command += [
        str(CHROOT),
        str(inside),
        "xvfb-run",
        "-a",
        "-s",
        screen,
        "env",
        *variables,
        *blender,
        *script,
    ]
    done = subprocess.run(
        ["timeout", "--kill-after=5", str(seconds), *command], capture_output=True, text=True
    )
    return done.stdout + done.stderr
