"""The Python environments: `.venv` for the engine, and one inside it for each Blender module.

An environment is complete when its stamp holds the digest of its recipe. The stamp is written
last, so an interrupted setup goes on where it stopped, and nothing is done twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .shell import BLENDERS, PROJECT, ROOT, VENV, BuildError, answers, run, say

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
BLENDER_LIBRARIES = (
    "libegl1 libgl1 libgl1-mesa-dri libice6 libsm6 libxfixes3 libxi6 libxkbcommon0 libxrender1 "
    "libxxf86vm1"
)


class Recipe(NamedTuple):
    """One environment."""

    folder: Path
    pythons: tuple[str, ...]  # versions that will do, the preferred first
    installs: list[list[str]]  # pip's arguments, one list for each call

    def digest(self) -> str:
        pins = (ROOT / "constraints.txt").read_text("utf-8")
        return hashlib.sha256(json.dumps([self.installs, pins]).encode()).hexdigest()

    @property
    def stamp(self) -> Path:
        return self.folder / ".likeness-setup"

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def is_complete(self) -> bool:
        return self.stamp.is_file() and self.stamp.read_text("utf-8") == self.digest()


def engine_recipe() -> Recipe:
    """`.venv`: the engine with its tests and the sample clip's picture."""
    extras = PROJECT["project"]["optional-dependencies"]
    packages = [*extras["cpu"], *extras["demo"], *extras["test"]]
    pins = ["-c", "constraints.txt"]
    installs = [[*packages, *pins], ["--no-deps", *extras["mediapipe"], *pins]]
    if has_cuda():
        installs.append(extras["cuda"])
    return Recipe(VENV, ("3.11", "3.12"), installs)


def blender_recipe(version: str) -> Recipe:
    """Blender as a Python module."""
    blender = BLENDERS[version]
    return Recipe(VENV / f"blender-{version}", (blender["python"],), [blender["packages"]])


def has_cuda() -> bool:
    """Whether an NVIDIA driver answers."""
    return answers("nvidia-smi", "-L") is not None


def set_up_engine() -> Path:
    """Complete `.venv`. Returns its interpreter. Raises BuildError."""
    recipe = engine_recipe()
    if not recipe.is_complete():
        _make(recipe)
        _install(recipe, recipe.installs[0], [] if has_cuda() else _cpu_index())
        _install(recipe, recipe.installs[1])
        for gsplat in recipe.installs[2:]:
            _try_install(recipe, gsplat)
        recipe.stamp.write_text(recipe.digest(), "utf-8")
    return recipe.python


def set_up_blender(version: str) -> Path | None:
    """Complete a Blender module's environment. None, with the reason said, without its Python."""
    recipe = blender_recipe(version)
    if not recipe.is_complete():
        if find_python(recipe.pythons) is None:
            say(f"Blender {version} is left out: there is no Python {recipe.pythons[0]} here")
            return None
        _make(recipe)
        _install(recipe, recipe.installs[0])
        _check_libraries(version, recipe.python)
        recipe.stamp.write_text(recipe.digest(), "utf-8")
    return recipe.python


def set_up() -> None:
    """Everything that the other commands need."""
    set_up_engine()
    ready = [version for version in BLENDERS if set_up_blender(version)]
    say(f"ready: the engine in .venv; Blender {', '.join(ready) or 'is not there'}")


def find_python(wanted: tuple[str, ...]) -> Path | None:
    """The first interpreter of a wanted version ("3.11") that runs and can make environments."""
    probe = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2], sys.executable)"
    for version in wanted:
        for command in _candidates(version):
            found, _, path = (answers(*command, "-c", probe) or "").partition(" ")
            if found == version:
                return Path(path)
    return None


def _candidates(version: str) -> Iterator[list[str]]:
    """Commands that may start this Python; shims of version managers among them may be broken."""
    yield [sys.executable]
    yield [f"python{version}"]
    yield ["py", f"-{version}"]
    yield [f"/usr/bin/python{version}"]
    for folder in ("~/.pyenv/versions", "~/.local/share/uv/python"):
        for path in sorted(Path(folder).expanduser().glob(f"*{version}*/bin/python3")):
            yield [str(path)]
    yield ["python3"]


def _make(recipe: Recipe) -> None:
    if answers(recipe.python, "-m", "pip", "--version"):
        return
    interpreter = find_python(recipe.pythons)
    if interpreter is None:
        raise BuildError(
            f"Python {' or '.join(recipe.pythons)} with its venv module was not found. Install it "
            "(python.org, your package manager, pyenv or uv) and run this again."
        )
    say(f"making {recipe.folder.relative_to(ROOT)} with {interpreter}")
    run(interpreter, "-m", "venv", recipe.folder, quiet=True)


def _install(recipe: Recipe, arguments: list[str], index: list[str] | None = None) -> None:
    say(f"pip install {' '.join(arguments)}")
    pip = (recipe.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--progress-bar", "off", *arguments, *(index or []), quiet=True)


def _try_install(recipe: Recipe, arguments: list[str]) -> None:
    try:
        _install(recipe, arguments)
    except BuildError as error:
        say(f"{error}\nWithout {arguments[0]} the engine fits avatars on the CPU.")


def _cpu_index() -> list[str]:
    """PyPI's torch for Linux brings gigabytes of CUDA along; PyTorch's index has one without."""
    if sys.platform != "linux":
        return []
    try:
        with urllib.request.urlopen(f"{TORCH_CPU_INDEX}/torch/", timeout=5):
            return ["--extra-index-url", TORCH_CPU_INDEX]
    except OSError:
        return []


def _check_libraries(version: str, python: Path) -> None:
    # Blender 4.5's module hangs when the interpreter exits in the ordinary way.
    probe = "import os, bpy; print(bpy.app.version_string, flush=True); os._exit(0)"
    if answers(python, "-c", probe) is None:
        raise BuildError(
            f"Blender {version} does not load; system libraries are missing. "
            f"On Debian and Ubuntu: apt-get install {BLENDER_LIBRARIES}"
        )
