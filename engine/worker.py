"""The worker: `python -m engine serve`, one long-lived child that runs jobs one after another.

stdin and stdout are its protocol (api/messages.py) and nothing else: both are moved to private
descriptors first, so that no library can write into the stream or read from it. A thread reads
requests while a job runs, so that cancel arrives; the end of stdin ends the process, also mid-job.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
from typing import BinaryIO

from .api.errors import Cancelled, LikenessError
from .api.messages import MAX_LINE_BYTES, REQUESTS, Message, decode, encode
from .device import hello
from .jobs import JOBS, run_job

GRACE_SECONDS = 5.0
"""After the end of stdin a job may take this long to remove what it was writing."""
log = logging.getLogger("likeness")


def serve() -> int:
    """Answer requests until quit or the end of stdin. Returns the exit status."""
    # Told to terminate, a job still removes what it was writing, as for Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    requests, events = _take_streams()
    return Worker(requests, events).run()


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """The real stdin and stdout; what is left in their places is nothing, and stderr."""
    sys.stdout.flush()
    requests, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, events


class Worker:
    """Jobs wait in a queue that the main thread empties; the reader thread fills it."""

    def __init__(self, requests: BinaryIO, events: BinaryIO) -> None:
        self._requests, self._events = requests, events
        self._writing = threading.Lock()
        self._jobs: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._waiting: set[object] = set()  # ids of jobs queued or running
        self._unwanted: set[object] = set()  # ids of those cancelled
        self._ending = threading.Event()
        self._ended = threading.Event()

    def run(self) -> int:
        """Run jobs until the reader says that no more will come."""
        threading.Thread(target=self._read, daemon=True).start()
        while (request := self._jobs.get()) is not None:
            self._run_job(request)
        self._ended.set()
        return 0

    def _run_job(self, request: Message) -> None:
        """One job to its one last event."""
        job_id, name = request["id"], request["do"]
        values = {key: value for key, value in request.items() if key not in ("id", "do")}

        def emit(event: Message) -> None:
            if self._ending.is_set() or job_id in self._unwanted:
                raise Cancelled("Cancelled.")
            self._send({"id": job_id, **event})

        try:
            if job_id in self._unwanted:
                raise Cancelled("Cancelled.")
            last = run_job(name, values, emit)
        except Cancelled:
            last = {"event": "cancelled"}
        except LikenessError as error:
            last = {"event": "error", "message": error.message, "hint": error.hint}
        except MemoryError:
            log.exception("job %s", job_id)
            hint = "Close other programs, or choose a smaller size or preset."
            last = {"event": "error", "message": "There is not enough memory.", "hint": hint}
        except Exception as error:  # noqa: BLE001 - the worker outlives a defect in one job
            log.exception("job %s", job_id)
            words = f"{type(error).__name__}: {error}"
            hint = "This is a defect in Likeness; its log has the details."
            last = {"event": "error", "message": words, "hint": hint}
        self._waiting.discard(job_id)
        self._unwanted.discard(job_id)
        self._send({"id": job_id, **last})

    def _read(self) -> None:
        """Take requests until quit or the end of stdin, then end the process, job or no job."""
        while line := self._requests.readline(MAX_LINE_BYTES + 1):
            if not line.endswith(b"\n") and len(line) > MAX_LINE_BYTES:
                while (rest := self._requests.readline(MAX_LINE_BYTES)) and rest[-1:] != b"\n":
                    pass
            if line.strip() and not self._take(line):
                break
        self._ending.set()
        self._jobs.put(None)
        if not self._ended.wait(GRACE_SECONDS):
            os._exit(1)

    def _take(self, line: bytes) -> bool:
        """Act on one request line; False on quit. A bad one is answered with an error."""
        try:
            request = decode(line.decode("utf-8"))
        except ValueError as error:
            self._refuse(None, f"A request cannot be read: {error}.")
            return True
        request_id, name = request["id"], request.get("do")
        if name == "quit":
            return False
        if not isinstance(request_id, int | str):
            self._refuse(None, "A request's id is neither a number nor text.")
        elif name == "hello":
            self._send({"id": request_id, "event": "hello", **hello()})
        elif name == "cancel":
            if request_id in self._waiting:
                self._unwanted.add(request_id)
        elif name in JOBS and request_id in self._waiting:
            log.error("job %s is already there; asked for again, it is not run twice", request_id)
        elif name in JOBS:
            self._waiting.add(request_id)
            self._jobs.put(request)
        else:
            self._refuse(request_id, f"There is no request {name!r:.40}.")
        return True

    def _refuse(self, request_id: object, message: str) -> None:
        hint = f"Known: {', '.join(REQUESTS)}."
        self._send({"id": request_id, "event": "error", "message": message, "hint": hint})

    def _send(self, event: Message) -> None:
        """Write one event. Raises Cancelled when nobody is left to read it."""
        try:
            with self._writing:
                self._events.write(encode(event).encode())
                self._events.flush()
        except BrokenPipeError:
            self._ending.set()
            self._jobs.put(None)
