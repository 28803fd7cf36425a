"""The worker as a child process: its stream, its errors, cancel while a job runs, and its end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from engine.api.avatar_file import write_avatar
from engine.api.messages import Message
from tests.small_avatar import small_avatar

ROOT = Path(__file__).parents[2]

# The worker with one more job, which runs until it is told to stop, and libraries that misbehave.
NOISY = """
import os, sys, time, subprocess
from engine import jobs, worker
from engine.api.requests import RenderRequest
def endless(request, emit):
    print("noise from Python")
    os.write(1, b"noise from C\\n")
    subprocess.run(["cat"] if os.name != "nt" else ["more"], timeout=5)  # reads stdin, if it can
    folder = request.output
    try:
        while True:
            emit({"event": "progress", "stage": "forever", "fraction": 0.5, "seconds_left": None})
            time.sleep(0.02)
    finally:
        open(os.path.join(folder, "tidied"), "w").close()
def broken(request, emit):
    raise ZeroDivisionError("a defect")
def bare(request, emit):
    import no_such_package
jobs.JOBS["bare"] = (RenderRequest, bare)
jobs.JOBS["endless"] = (RenderRequest, endless)
jobs.JOBS["broken"] = (RenderRequest, broken)
sys.exit(worker.serve())
"""


class Client:
    """A worker with its stdout read in the background."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.events: Queue[Message] = Queue()
        self.errors: list[bytes] = []
        for target in (self._read_events, self._read_errors):
            threading.Thread(target=target, daemon=True).start()

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def send(self, line: bytes | Message) -> None:
        assert self.process.stdin is not None
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def until(self, *kinds: str, seconds: float = 30) -> Message:
        """The next event of one of these kinds."""
        deadline = time.monotonic() + seconds
        while True:
            event = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            if event["event"] in kinds:
                return event


@pytest.fixture
def worker() -> Iterator[Client]:
    client = Client("-m", "engine", "serve")
    yield client
    client.process.kill()
    client.process.wait()


@pytest.fixture
def noisy() -> Iterator[Client]:
    client = Client("-c", NOISY)
    yield client
    client.process.kill()
    client.process.wait()


def _endless(folder: Path, job: int = 1) -> Message:
    return {"id": job, "do": "endless", "avatar": "-", "output": str(folder)}


def test_a_render_request_gives_progress_then_one_result(worker: Client, tmp_path: Path) -> None:
    write_avatar(tmp_path / "a.likeness", small_avatar())
    request = {"avatar": str(tmp_path / "a.likeness"), "output": str(tmp_path / "frames")}
    worker.send({"id": 7, "do": "render", **request, "performance": True, "frames": "0:3"})
    assert worker.until("progress")["id"] == 7
    result = worker.until("result", "error", seconds=120)
    assert (result["event"], result["frames"]) == ("result", 3)
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert names == ["00000.png", "00001.png", "00002.png"]


def test_no_library_can_write_into_the_stream_or_read_from_it(
    noisy: Client, tmp_path: Path
) -> None:
    noisy.send(_endless(tmp_path))
    assert noisy.until("progress")["stage"] == "forever"  # every line was JSON, or the reader died
    noisy.send({"id": 2, "do": "hello"})
    assert noisy.until("hello")["id"] == 2  # no child of the job took the request
    assert {b"noise from Python\n", b"noise from C\n"} <= set(noisy.errors)


def test_cancel_arrives_while_the_job_runs_and_the_next_job_runs(
    noisy: Client, tmp_path: Path
) -> None:
    noisy.send(_endless(tmp_path))
    noisy.until("progress")
    noisy.send({"id": 1, "do": "cancel"})
    assert noisy.until("cancelled", "result", "error", seconds=5)["event"] == "cancelled"
    assert (tmp_path / "tidied").exists()
    noisy.send(_endless(tmp_path, job=2))
    assert noisy.until("progress")["id"] in (1, 2)


def test_a_waiting_job_can_be_cancelled_before_it_starts(noisy: Client, tmp_path: Path) -> None:
    noisy.send(_endless(tmp_path, job=1))
    noisy.send(_endless(tmp_path / "never", job=2))
    noisy.send({"id": 2, "do": "cancel"})
    noisy.until("progress")
    noisy.send({"id": 1, "do": "cancel"})
    assert [noisy.until("cancelled")["id"] for _ in range(2)] == [1, 2]


def test_the_end_of_stdin_ends_it_in_the_middle_of_a_job(noisy: Client, tmp_path: Path) -> None:
    noisy.send(_endless(tmp_path))
    noisy.until("progress")
    assert noisy.process.stdin is not None
    noisy.process.stdin.close()
    assert noisy.process.wait(10) == 0
    assert (tmp_path / "tidied").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows terminates without a signal")
def test_terminated_it_still_tidies_up(noisy: Client, tmp_path: Path) -> None:
    noisy.send(_endless(tmp_path))
    noisy.until("progress")
    noisy.process.terminate()
    assert noisy.process.wait(10) != 0
    assert (tmp_path / "tidied").exists()


def test_a_package_that_is_missing_asks_for_a_set_up(noisy: Client, tmp_path: Path) -> None:
    noisy.send({**_endless(tmp_path), "do": "bare"})
    error = noisy.until("error")
    assert "no_such_package" in error["message"]
    assert "Set the avatar engine up" in error["hint"]


def test_quit_ends_it(worker: Client) -> None:
    worker.send({"id": 1, "do": "quit"})
    assert worker.process.wait(10) == 0


def test_a_defect_is_one_error_event_and_a_traceback_on_stderr(
    noisy: Client, tmp_path: Path
) -> None:
    noisy.send({**_endless(tmp_path), "do": "broken"})
    error = noisy.until("error")
    assert "ZeroDivisionError: a defect" in error["message"]
    assert error["hint"]
    noisy.send({"id": 2, "do": "hello"})
    noisy.until("hello")
    assert any(b"Traceback" in line for line in noisy.errors)


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"id": 1}',
        b'{"id": 1, "do": "dance"}',
        b'{"id": [1], "do": "track"}',
        b'{"id": {}, "do": "cancel"}',
        b"[" * 100_000,
        b'{"id": 1, "do": "hello", "x": "' + b"x" * (1 << 20) + b'"}',
        b'{"id": 1, "do": "render"}',
        b'{"id": 1, "do": "render", "avatar": "a", "output": 3}',
        b'{"id": 1, "do": "render", "avatar": "none.likeness", "output": "x"}',
        b'{"id": 1, "do": "reconstruct", "source": "a", "output": "a.likeness", "size": 1e9}',
        b'{"id": 1, "do": "reconstruct", "source": "a", "output": "a.likeness", "preset": "x"}',
        b'{"id": 1, "do": "track", "source": "a", "output": "b", "settings": {"colour": 1}}',
        b'{"id": 1, "do": "track", "source": "a", "output": "b", "settings": {"size": true}}',
    ],
    ids=lambda line: line[:70].decode("latin-1"),
)
def test_a_bad_request_is_answered_with_one_error_and_the_worker_lives(
    worker: Client, line: bytes
) -> None:
    worker.send(line)
    worker.send({"id": 99, "do": "hello"})
    seen = [worker.until("error", "hello", "result") for _ in range(2)]
    assert sorted(event["event"] for event in seen) == ["error", "hello"]
    error = next(event for event in seen if event["event"] == "error")
    assert error["message"]
    assert "\n" not in error["message"] + error["hint"]
