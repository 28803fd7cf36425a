"""The avatar engine's own Python environment: find an interpreter, install the pinned packages.

Blender's Python cannot hold them (PyTorch is large, MediaPipe needs Python 3.11 or 3.12), so the
engine runs as its own process in its own environment. Everything here runs programs and watches
them; nothing blocks and nothing knows `bpy`. The stamp is written last: an environment without one
is not used.
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

ROOT = Path(__file__).parents[1]  # of the extension: pyproject.toml and constraints.txt lie here
PYTHONS = ("3.11", "3.12")
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
UV = "uv==0.9.8"  # fetches a Python where the machine has none that fits
_STAMP = ".likeness-setup"
_WINDOWS = os.name == "nt"


class Step(NamedTuple):
    """One program of the set-up."""

    label: str
    command: tuple[str, ...]
    optional: bool = False  # its failure is reported in the log only


class State(NamedTuple):
    """How far a set-up is."""

    label: str
    fraction: float
    finished: bool = False
    error: str = ""


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


def set_up_steps(folder: Path, interpreter: str | None) -> list[Step]:
    """The programs that make the environment in `folder`, in order."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = extras["project"]["optional-dependencies"]
    pip = (str(python_in(folder)), "-m", "pip", "--disable-pip-version-check", "install")
    pins = ("-c", str(ROOT / "constraints.txt"))
    has_cuda = shutil.which("nvidia-smi") is not None
    # PyPI's torch for Linux brings gigabytes of CUDA along; PyTorch's own index has one without.
    lean = sys.platform == "linux" and not has_cuda
    index = ("--extra-index-url", TORCH_CPU_INDEX) if lean else ()
    steps = [
        *_environment_steps(folder, interpreter),
        Step("Downloading packages", (*pip, *extras["cpu"], *pins, *index)),
        Step("Downloading the face tracker", (*pip, "--no-deps", *extras["mediapipe"], *pins)),
    ]
    if has_cuda:
        steps.append(Step("Downloading gsplat", (*pip, *extras["cuda"]), optional=True))
    check = "import torch, numba, cv2, mediapipe, pymatting; print(torch.__version__)"
    steps.append(Step("Checking", (str(python_in(folder)), "-c", check)))
    return steps


def _environment_steps(folder: Path, interpreter: str | None) -> list[Step]:
    if interpreter is not None:
        make = (interpreter, "-m", "venv", "--clear", str(folder))
        return [Step("Making the environment", make)]
    bootstrap = folder.with_name(folder.name + "-bootstrap")
    python = str(python_in(bootstrap))
    version = PYTHONS[0]
    return [
        Step("Preparing", (sys.executable, "-m", "venv", "--clear", str(bootstrap))),
        Step("Preparing", (python, "-m", "pip", "install", UV)),
        Step(
            f"Downloading Python {version}",
            (python, "-m", "uv", "venv", "--clear", "--seed", "--python", version, str(folder)),
        ),
    ]


class SetUp:
    """Runs the steps one after the other; `poll` it now and then until it has finished."""

    def __init__(self, folder: Path, steps: list[Step]) -> None:
        self.folder = folder
        self.log_path = folder.with_name(folder.name + "-setup.log")
        self._steps = steps
        self._index = 0
        self._log = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin. Raises LikenessError when the folder cannot be written."""
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / _STAMP).unlink(missing_ok=True)
            self._log = self.log_path.open("wb")
        except OSError as error:
            raise LikenessError(
                f"The avatar engine cannot be set up in {self.folder.parent}: {error.strerror}.",
                "Free some space or choose an existing Python in the extension's preferences.",
            ) from error
        self._run()

    def poll(self) -> State:
        """Start the next step when one has ended; say how far it is."""
        step = self._steps[self._index]
        if self._process is None:
            return State("Cancelled", 0.0, finished=True, error="Cancelled.")
        code = self._process.poll()
        if code is None:
            return State(step.label, self._index / len(self._steps))
        if code != 0 and not step.optional:
            return self._finish(f"{step.label} failed: {self._last_words()}")
        if self._index + 1 == len(self._steps):
            (self.folder / _STAMP).write_text(_digest(), "utf-8")
            return self._finish("")
        self._index += 1
        self._run()
        return State(self._steps[self._index].label, self._index / len(self._steps))

    def cancel(self) -> None:
        """Stop. What was made so far has no stamp and is made anew the next time."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=10)
        self._process = None
        self._close_log()

    def _run(self) -> None:
        command = self._steps[self._index].command
        self._log.write(f"$ {' '.join(command)}\n".encode())
        self._log.flush()
        # Blender's own variables would make another Python look for its library in Blender.
        own = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, env=own
        )

    def _finish(self, error: str) -> State:
        self._close_log()
        self._process = None
        return State("Failed" if error else "Ready", 1.0, finished=True, error=error)

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _last_words(self) -> str:
        lines = self.log_path.read_text("utf-8", errors="replace").strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")]
        return (errors or lines or ["no output"])[-1] + f" (log: {self.log_path})"
