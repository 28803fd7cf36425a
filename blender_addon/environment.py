"""The avatar engine's own Python environment: find an interpreter, install the pinned packages.

Blender's Python cannot hold them (PyTorch is large, MediaPipe needs Python 3.11 or 3.12), so the
engine runs as its own process in its own environment. Everything here names programs for others to
run (programs.py) and knows no `bpy`. The stamp is written last: an environment without one is not
used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..engine.api.errors import LikenessError
from .programs import Programs, Step

ROOT = Path(__file__).parents[1]  # of the extension: pyproject.toml and constraints.txt lie here
PYTHONS = ("3.11", "3.12")
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TORCH_CUDA_INDEX = "https://download.pytorch.org/whl/cu130"
UV = "uv==0.9.8"  # fetches a Python where the machine has none that fits
TRIES = 4
"""A download that breaks off is tried again; pip keeps what it has."""
NEEDED_BYTES = {False: 3_000_000_000, True: 10_000_000_000}  # with CUDA: downloaded and unpacked
IMPORTS = "torch, numba, cv2, mediapipe, pymatting, onnxruntime"
_REMOVE = "import shutil, sys; [shutil.rmtree(path, ignore_errors=True) for path in sys.argv[1:]]"
_STAMP = ".likeness-setup"
_WINDOWS = os.name == "nt"


class Choices(NamedTuple):
    """How the environment is made."""

    processor: str = "auto"  # auto, cpu or cuda: which PyTorch
    wheels: str = ""  # folder with every package as a wheel; nothing is downloaded then

    @property
    def has_cuda(self) -> bool:
        """Whether PyTorch for NVIDIA cards is wanted."""
        if self.processor == "auto":
            return shutil.which("nvidia-smi") is not None
        return self.processor == "cuda"


def python_in(folder: Path) -> Path:
    """Interpreter of an environment."""
    return folder / ("Scripts/python.exe" if _WINDOWS else "bin/python")


def is_complete(folder: Path) -> bool:
    """Whether the environment was made by this version of the extension's pins."""
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text("utf-8") == _digest() and python_in(folder).exists()


def _digest() -> str:
    pins = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"".join(pins)).hexdigest()


def find_interpreter() -> str | None:
    """A Python that the engine's packages exist for and that can make environments."""
    probe = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
    for command in _candidates():
        try:
            answer = subprocess.run(
                [command, "-c", probe], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue  # a shim of a version manager may start nothing
        if answer.stdout.strip() in PYTHONS:
            return command
    return None


def _candidates() -> Iterator[str]:
    yield sys.executable
    for version in PYTHONS:
        found = shutil.which(f"python{version}")
        if found:
            yield found
        for folder in ("~/.pyenv/versions", "~/.local/share/uv/python"):
            pattern = f"*{version}*/" + ("python.exe" if _WINDOWS else "bin/python3")
            yield from map(str, sorted(Path(folder).expanduser().glob(pattern)))
        if _WINDOWS:
            local = Path(os.environ.get("LOCALAPPDATA", "")) / "Programs" / "Python"
            yield str(local / f"Python{version.replace('.', '')}" / "python.exe")


def log_path(folder: Path) -> Path:
    """What the programs said that made or removed an environment."""
    return folder.with_name(folder.name + "-setup.log")


def set_up(folder: Path, choices: Choices) -> Programs:
    """Programs that make the environment in `folder`, whatever is there. Raises LikenessError."""
    interpreter = find_interpreter()
    _check(folder, choices, interpreter)
    _take_stamp(folder)

    def stamp() -> None:
        (folder / _STAMP).write_text(_digest(), "utf-8")

    return Programs(set_up_steps(folder, interpreter, choices), log_path(folder), stamp)


def removal(folder: Path) -> Programs:
    """Programs that delete the environment; from now on it is not used."""
    _take_stamp(folder)
    paths = (str(folder), str(_bootstrap(folder)))
    return Programs([Step("Removing", (sys.executable, "-c", _REMOVE, *paths))], log_path(folder))


def _take_stamp(folder: Path) -> None:
    (folder / _STAMP).unlink(missing_ok=True)


def _check(folder: Path, choices: Choices, interpreter: str | None) -> None:
    """Raise LikenessError where setting up cannot succeed."""
    if choices.wheels and not any(Path(choices.wheels).glob("*.whl")):
        raise LikenessError(
            f"There are no packages (.whl) in {choices.wheels}.", "Choose another folder, or none."
        )
    if choices.wheels and interpreter is None:
        raise LikenessError(
            f"This machine has no Python {' or '.join(PYTHONS)}.",
            "Install one from python.org; without a network none can be fetched.",
        )
    there = next(path for path in folder.parents if path.exists())
    free, needed = shutil.disk_usage(there).free, NEEDED_BYTES[choices.has_cuda]
    if free < needed:
        raise LikenessError(
            f"The avatar engine needs {needed / 1e9:.0f} GB; {there} has {free / 1e9:.1f} GB.",
            "Free some space.",
        )


def set_up_steps(folder: Path, interpreter: str | None, choices: Choices) -> list[Step]:
    """The programs that make the environment in `folder`, in order."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = extras["project"]["optional-dependencies"]
    python = str(python_in(folder))
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install")
    source = ("-c", str(ROOT / "constraints.txt"), *_index(choices))
    packages = (*pip, *extras["cpu"], *source)
    tracker = (*pip, "--no-deps", *extras["mediapipe"], *source)
    steps = [
        *_environment_steps(folder, interpreter),
        Step("Downloading packages", packages, tries=TRIES, weight=40),
        Step("Downloading the face tracker", tracker, tries=TRIES, weight=4),
    ]
    if choices.has_cuda:
        gsplat = (*pip, *extras["cuda"], *_index(choices))
        steps.append(Step("Downloading gsplat", gsplat, optional=True, weight=4))
    steps.append(Step("Checking", (python, "-c", f"import {IMPORTS}; print(torch.__version__)")))
    return steps


def _index(choices: Choices) -> tuple[str, ...]:
    """Where pip looks for packages. PyPI's torch for Linux brings gigabytes of CUDA along, that
    for Windows brings none; PyTorch's own indexes have the other kind."""
    if choices.wheels:
        return ("--no-index", "--find-links", choices.wheels)
    if sys.platform == "linux" and not choices.has_cuda:
        return ("--extra-index-url", TORCH_CPU_INDEX)
    if _WINDOWS and choices.has_cuda:
        return ("--extra-index-url", TORCH_CUDA_INDEX)
    return ()


def _bootstrap(folder: Path) -> Path:
    """The environment of the program that fetches a Python."""
    return folder.with_name(folder.name + "-bootstrap")


def _environment_steps(folder: Path, interpreter: str | None) -> list[Step]:
    if interpreter is not None:
        make = (interpreter, "-m", "venv", "--clear", str(folder))
        return [Step("Making the environment", make)]
    bootstrap = _bootstrap(folder)
    python = str(python_in(bootstrap))
    version = PYTHONS[0]
    make = (python, "-m", "uv", "venv", "--clear", "--seed", "--python", version, str(folder))
    return [
        Step("Preparing", (sys.executable, "-m", "venv", "--clear", str(bootstrap))),
        Step("Preparing", (python, "-m", "pip", "install", UV), tries=TRIES),
        Step(f"Downloading Python {version}", make, tries=TRIES, weight=4),
    ]
