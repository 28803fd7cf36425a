"""Programs run one after the other and watched: a log, another try where a network fails, an end.

Nothing blocks and nothing knows `bpy`: `poll` now and then.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from ..engine.api.errors import LikenessError

FIRST_WAIT = 2.0
"""Seconds before the second try; each further one waits twice as long."""
TAIL_BYTES = 4096
_PACKAGE = re.compile(r"^\s*(?:Collecting|Downloading) ([\w.+-]+)", re.MULTILINE)


class Step(NamedTuple):
    """One program."""

    label: str
    command: tuple[str, ...]
    optional: bool = False  # its failure is told in the log only
    tries: int = 1
    weight: float = 1.0  # about how long it takes, beside the others


class State(NamedTuple):
    """How far they are."""

    label: str
    fraction: float
    finished: bool = False
    error: str = ""


class Programs:
    """The steps in order, until one that is not optional fails its last try."""

    def __init__(
        self, steps: Sequence[Step], log_path: Path, succeed: Callable[[], None] = lambda: None
    ) -> None:
        """`succeed` is called once, after the last step."""
        self.log_path = log_path
        self._steps, self._succeed = list(steps), succeed
        self._index, self._try = 0, 1
        self._again = 0.0  # time.monotonic() of the next try
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin. Raises LikenessError when the log's folder cannot be written."""
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            self._log = self.log_path.open("wb")
        except OSError as error:
            raise LikenessError(
                f"The avatar engine cannot be set up in {self.log_path.parent}: {error.strerror}.",
                "Free some space or choose an existing Python in the extension's preferences.",
            ) from error
        self._run()

    def poll(self) -> State:
        """Start the next step or try when it is time; say how far it is."""
        if self._log is None:
            return State("Cancelled", 0.0, finished=True, error="Cancelled.")
        if self._process is None:
            return self._wait()
        code = self._process.poll()
        if code is None:
            return State(self._words(), self._fraction())
        step, self._process = self._steps[self._index], None
        if code != 0 and self._try < step.tries:
            self._again = time.monotonic() + FIRST_WAIT * 2 ** (self._try - 1)
            self._try += 1
            return self._wait()
        if code != 0 and not step.optional:
            return self._finish(f"{step.label} failed: {self._last_words()}")
        if self._index + 1 == len(self._steps):
            self._succeed()
            return self._finish("")
        self._index, self._try = self._index + 1, 1
        self._run()
        return State(self._steps[self._index].label, self._fraction())

    def cancel(self) -> None:
        """Stop the program that runs; no further one is started."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process = None
        self._close_log()

    def _wait(self) -> State:
        """Between two tries."""
        left = self._again - time.monotonic()
        if left <= 0:
            self._run()
        label = self._steps[self._index].label
        return State(f"{label}: again in {max(0, round(left))} s", self._fraction())

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
        return State("Failed" if error else "Ready", 1.0, finished=True, error=error)

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _fraction(self) -> float:
        weights = [step.weight for step in self._steps]
        return sum(weights[: self._index]) / sum(weights)

    def _words(self) -> str:
        """The step, and the package that pip speaks of."""
        label = self._steps[self._index].label
        with self.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            tail = log.read().decode("utf-8", "replace").rpartition("\n$ ")[2]
        packages = _PACKAGE.findall(tail)
        return f"{label}: {packages[-1].split('-')[0]}" if packages else label

    def _last_words(self) -> str:
        """Why the last try failed: its first error, else its last line."""
        said = self.log_path.read_text("utf-8", errors="replace").rpartition("$ ")[2]
        lines = said.strip().splitlines()[1:]
        errors = [line for line in lines if line.startswith("ERROR")]
        return (errors[:1] or lines[-1:] or ["no output"])[0] + f" (log: {self.log_path})"
