"""The repository's places, and how the build runs other programs and speaks to people."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
BLENDERS: dict[str, dict] = PROJECT["tool"]["likeness"]["blender"]
VERSION: str = PROJECT["project"]["version"]


class BuildError(Exception):
    """A step that cannot be done; its text says what to do about it."""


def say(text: str) -> None:
    """One line for the person who watches."""
    print(f"[build] {text}", flush=True)


def run(*command: str | Path, quiet: bool = False, env: Mapping[str, str] | None = None) -> None:
    """Run a command from the repository root; a quiet one shows its output only when it fails.

    Raises BuildError.
    """
    words = [str(word) for word in command]
    stdout, stderr = (subprocess.PIPE, subprocess.STDOUT) if quiet else (None, None)
    variables = {**os.environ, **(env or {})}
    done = subprocess.run(words, cwd=ROOT, text=True, env=variables, stdout=stdout, stderr=stderr)
    if done.returncode:
        tail = "\n".join((done.stdout or "").splitlines()[-25:])
        shown = " ".join(words)[:300]
        raise BuildError(f"{tail}\n{shown}\nended with status {done.returncode}.".strip())


def answers(*command: str | Path, timeout: float = 60) -> str | None:
    """What a command prints, stripped; None when it is missing, fails or does not end in time."""
    try:
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, timeout=timeout
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
