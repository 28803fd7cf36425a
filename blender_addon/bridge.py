"""The avatar engine as a child process: start, send, poll, cancel, close. No bpy.

Nothing here blocks, so that Blender's timers can call it: threads read the child's output into a
queue, and `poll` empties it. Whatever goes wrong with the child, every job that was sent ends with
exactly one last event; the next `send` starts a fresh child. Messages: engine/api/messages.py.
"""

from __future__ import annotations

import collections
import itertools
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from ..engine.api.messages import LAST_EVENTS, PROTOCOL_VERSION, Message, decode, encode

ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds the `engine` package, in the checkout and in the installed extension."""
CLOSE_SECONDS = 2.0
LAST_WORDS = 20  # lines of the child's log that are kept
SET_UP_HINT = "Press Set Up Avatar Engine in the preferences of Likeness."


class Engine:
    """One child process at most, started by the first `send`.

    `python` is the interpreter of the engine's environment; `root` holds the `engine` package.
    Use it from one thread.
    """

    def __init__(self, python: str | Path, root: str | Path = ROOT) -> None:
        self.python, self.root = str(python), str(root)
        self._ids = itertools.count(1)
        self._child: _Child | None = None
        self._pending: set[int] = set()  # ids that still owe a last event
        self._undelivered: list[Message] = []

    @property
    def running(self) -> bool:
        """Whether the child is alive."""
        return self._child is not None and self._child.process.poll() is None

    @property
    def busy(self) -> bool:
        """Whether anything sent still owes its last event."""
        return bool(self._pending)

    def start(self) -> None:
        """Start the child unless it is alive. Raises OSError when the interpreter cannot run."""
        if not self.running:
            self._bury()
            self._child = _Child(self.python, self.root)

    def send(self, do: str, **arguments: Any) -> int:
        """Send a request and return its id. A failure arrives as an error event, by `poll`."""
        request_id = next(self._ids)
        try:
            self.start()
            assert self._child is not None
            self._pending.add(request_id)
            self._child.write({"id": request_id, "do": do, **arguments})
        except OSError as error:
            words = f"The avatar engine cannot be started: {error.strerror or error}."
            self._fail(request_id, words, SET_UP_HINT)
        return request_id

    def poll(self) -> list[Message]:
        """Every event since the last call, in order. Never waits."""
        if self._child is not None:
            dead = self._child.silent  # asked first: what it said before is then in the queue
            self._drain(self._child)
            if dead:
                self._bury()
        events, self._undelivered = self._undelivered, []
        return events

    def cancel(self, request_id: int) -> None:
        """Ask for a job to stop; its `cancelled` event follows. Nothing happens if it has ended."""
        if request_id in self._pending and self._child is not None:
            try:
                self._child.write({"id": request_id, "do": "cancel"})
            except OSError:
                return  # the child is dead: poll tells

    def close(self) -> None:
        """End the child: asked first, then made to. Waits two seconds at most."""
        if self._child is not None:
            self._child.end()
            self._child = None
        self._pending.clear()
        self._undelivered.clear()

    def _drain(self, child: _Child) -> None:
        while (event := child.next_event()) is not None:
            self._deliver(event)

    def _deliver(self, event: Message) -> None:
        kind, request_id = event.get("event"), event["id"]
        if kind == "hello" and event.get("protocol") != PROTOCOL_VERSION:
            words = f"The avatar engine speaks version {event.get('protocol')} of its protocol."
            self._fail(request_id, words, f"This extension needs {PROTOCOL_VERSION}. {SET_UP_HINT}")
            return
        if kind in LAST_EVENTS or kind == "hello":
            self._pending.discard(request_id)
        self._undelivered.append(event)

    def _bury(self) -> None:
        """Fail what a dead child still owed, in its own last words."""
        if self._child is None:
            return
        self._child.end()
        self._drain(self._child)
        words = self._child.last_words()
        self._child = None
        for request_id in sorted(self._pending):
            self._fail(request_id, f"The avatar engine stopped: {words}", "Try again.")

    def _fail(self, request_id: int, message: str, hint: str) -> None:
        self._pending.discard(request_id)
        error = {"id": request_id, "event": "error", "message": message, "hint": hint}
        self._undelivered.append(error)


class _Child:
    """The process, and the two threads that read what it says."""

    def __init__(self, python: str, root: str) -> None:
        self.process = subprocess.Popen(
            [python, "-m", "engine", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(root),
            creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
            # Ctrl-C in Blender's terminal is not meant for the child; it ends with its stdin.
            start_new_session=sys.platform != "win32",
        )
        self._events: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._log: collections.deque[str] = collections.deque(maxlen=LAST_WORDS)
        self._threads = [
            threading.Thread(target=self._read_events, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def silent(self) -> bool:
        """Whether it is dead and all its events are in the queue.

        Its log is not waited for: a grandchild may hold that open.
        """
        return self.process.poll() is not None and not self._threads[0].is_alive()

    def next_event(self) -> Message | None:
        """The oldest event not yet taken."""
        try:
            return self._events.get_nowait()
        except queue.Empty:
            return None

    def write(self, message: Message) -> None:
        """Send one line. Raises OSError when the child is gone."""
        assert self.process.stdin is not None
        self.process.stdin.write(encode(message).encode())
        self.process.stdin.flush()

    def last_words(self) -> str:
        """Why the child stopped, in one line: the end of its log, else its exit status."""
        said = next((line for line in reversed(self._log) if line.strip()), "")
        return said.strip()[:300] or f"exit status {self.process.returncode}."

    def end(self) -> None:
        """Close its stdin, which ends it; when it does not end, terminate it; wait for it."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except OSError:
            self._log.append("its stdin was already closed")
        for stop in (lambda: None, self.process.terminate, self.process.kill):
            stop()
            try:
                self.process.wait(CLOSE_SECONDS / 2)
                break
            except subprocess.TimeoutExpired:
                continue
        for thread in self._threads:
            thread.join(CLOSE_SECONDS / 2)

    def _read_events(self, stream: IO[bytes]) -> None:
        for line in stream:
            try:
                self._events.put(decode(line.decode("utf-8")))
            except ValueError as error:
                self._log.append(f"a line of the engine cannot be read: {error}")
        stream.close()

    def _read_log(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._log.append(line.decode("utf-8", "replace").rstrip())
        stream.close()


def _environment(root: str) -> dict[str, str]:
    """Blender's environment without what leads Python astray."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONSTARTUP")}
    return environment | {
        "PYTHONPATH": root,
        "PYTHONSAFEPATH": "1",  # a folder named engine in the working directory is not ours
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # idle OpenMP threads would spin on Blender's cores
    }
