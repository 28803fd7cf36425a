"""What a person or a program at the command line sees: a progress bar on stderr, or JSON lines."""

from __future__ import annotations

import _thread
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from .api.errors import LikenessError
from .api.messages import Message, encode

BAR_CELLS = 24
PATIENCE_SECONDS = 2.0
"""A job that says nothing for so long after Ctrl-C is stopped where it stands."""


class ProgressBar:
    """Progress as one line that is drawn again; a line for each stage where nobody watches."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = self._stream.isatty()
        self._stage = ""

    def __call__(self, event: Message) -> None:
        if event["event"] == "notice":
            self.clear()
            self._stream.write(f"{event['message']}\n")
        if event["event"] == "report":
            self.clear()
            self._stream.writelines(f"{line}\n" for line in finding_lines(event["findings"]))
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


def finding_lines(findings: list[Message]) -> Iterator[str]:
    """Lines that say what footage lacks and how to film it better, but for mere notes."""
    for found in findings:
        if found["severity"] != "note":
            yield f"Footage: {found['words']}."
            yield f"         {found['advice']}"


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


def stoppable(show: Callable[[Message], None]) -> Callable[[Message], None]:
    """`show`, and an interrupt that always ends the job: at its next event, where what it keeps is
    whole, or wherever it is when none comes for a while. That holds in the background too, where
    shells leave the signal ignored, and where a library has swallowed the exception.
    """
    pressed = threading.Event()
    impatience = threading.Timer(PATIENCE_SECONDS, _thread.interrupt_main)
    impatience.daemon = True

    def press(_: int, __: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()
        impatience.start()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, press)

    def show_or_stop(event: Message) -> None:
        if pressed.is_set():
            impatience.cancel()
            raise KeyboardInterrupt
        show(event)

    return show_or_stop


@contextmanager
def libraries_silenced() -> Iterator[TextIO]:
    """Yields the real stderr, while what native libraries write there (MediaPipe's warnings) is
    kept back; it is shown when something breaks that is not an error meant for people.
    """
    sys.stderr.flush()
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as real, tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield real
        except (LikenessError, KeyboardInterrupt):
            raise
        except BaseException:
            chatter.seek(0)
            real.write(chatter.read().decode("utf-8", "replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(real.fileno(), 2)
