"""What a person or a program at the command line sees: a progress bar on stderr, or JSON lines."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO

from .api.messages import Message, encode

BAR_CELLS = 24


class ProgressBar:
    """Progress as one line that is drawn again; a line for each stage where nobody watches."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._stage = ""

    def __call__(self, event: Message) -> None:
        if event["event"] != "progress":
            return
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + _bar(event)[:width].ljust(width))
        else:
            # "Fitting: Base, 24.1 dB" is the same stage as "Fitting: Base, 24.2 dB".
            stage = event["stage"].partition(",")[0]
            if stage != self._stage:
                self._stream.write(f"{event['fraction']:4.0%} {stage}\n")
                self._stage = stage
        self._stream.flush()

    def clear(self) -> None:
        """Take the bar off the screen; what is printed next begins on a clean line."""
        if self._live:
            self._stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self._stream.flush()


def _bar(event: Message) -> str:
    full = round(event["fraction"] * BAR_CELLS)
    seconds = event["seconds_left"]
    left = "" if seconds is None else f"  {int(seconds) // 60}:{int(seconds) % 60:02d} left"
    bar = "#" * full + "-" * (BAR_CELLS - full)
    return f"[{bar}] {event['fraction']:4.0%}{left}  {event['stage']}"


def print_event(event: Message) -> None:
    """One JSON line on stdout, as the worker writes them; the job's id is 0."""
    sys.stdout.write(encode({"id": 0, **event}))
    sys.stdout.flush()
