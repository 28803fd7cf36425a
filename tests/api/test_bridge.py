"""The bridge to the engine, against real child processes: the engine, and scripted ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from likeness.blender_addon.bridge import ROOT, Engine

from engine.api.messages import PROTOCOL_VERSION, Message

# A child that obeys the protocol as far as each test needs: the body handles one request.
SCRIPT = """
import json, os, sys, time
def say(**event):
    print(json.dumps(event), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    {body}
"""


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator:
    """Makes a bridge to a child whose handling of a request is given as Python."""
    engines = []

    def make(body: str) -> Engine:
        package = tmp_path / "engine"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(SCRIPT.format(body=body))
        engines.append(Engine(sys.executable, tmp_path))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def _until_last(engine: Engine, seconds: float = 20) -> list[Message]:
    """Poll as a timer does until nothing is owed; all events."""
    events, deadline = [], time.monotonic() + seconds
    while engine.busy and time.monotonic() < deadline:
        events += engine.poll()
        time.sleep(0.01)
    assert not engine.busy
    return events + engine.poll()


def test_the_engine_says_hello() -> None:
    engine = Engine(sys.executable)
    request = engine.send("hello")
    (event,) = _until_last(engine)
    engine.close()
    assert (event["id"], event["event"], event["protocol"]) == (request, "hello", PROTOCOL_VERSION)
    assert "cpu" in event["devices"]


def test_the_root_is_where_the_engine_package_lies() -> None:
    assert (ROOT / "engine" / "__main__.py").is_file()


def test_poll_never_waits(scripted) -> None:
    engine = scripted("time.sleep(3)")
    engine.send("hello")
    started = time.monotonic()
    assert engine.poll() == []
    assert time.monotonic() - started < 0.5


def test_events_arrive_in_order(scripted) -> None:
    engine = scripted(
        "[say(id=request['id'], event='progress', fraction=i) for i in range(200)];"
        "say(id=request['id'], event='result')"
    )
    engine.send("track")
    *progress, result = _until_last(engine)
    assert [event["fraction"] for event in progress] == list(range(200))
    assert result["event"] == "result"


def test_a_dead_child_fails_its_job_with_its_last_words_and_the_next_starts_afresh(
    scripted,
) -> None:
    body = """
    if request["do"] == "die":
        sys.exit("out of chalk")
    say(id=request["id"], event="result", pid=os.getpid())
    """
    engine = scripted(body)
    engine.send("live")
    first = _until_last(engine)[-1]["pid"]
    dying = engine.send("die")
    (error,) = _until_last(engine)
    assert (error["id"], error["event"]) == (dying, "error")
    assert "out of chalk" in error["message"]
    engine.send("live")
    assert _until_last(engine)[-1]["pid"] != first


def test_what_a_child_said_before_it_died_is_not_lost(scripted) -> None:
    engine = scripted("say(id=request['id'], event='result', path='x'); os._exit(3)")
    engine.send("track")
    deadline = time.monotonic() + 10
    while engine.running and time.monotonic() < deadline:
        time.sleep(0.01)
    second = engine.send("track")
    events = _until_last(engine)
    assert [event["event"] for event in events if event["id"] != second] == ["result"]


def test_an_interpreter_that_is_not_there_is_an_error_event(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "no-python")
    request = engine.send("hello")
    (event,) = _until_last(engine)
    assert (event["id"], event["event"]) == (request, "error")
    assert "Set Up Avatar Engine" in event["hint"]
    assert not engine.busy


def test_another_protocol_version_is_an_error(scripted) -> None:
    engine = scripted("say(id=request['id'], event='hello', protocol=999)")
    engine.send("hello")
    (event,) = _until_last(engine)
    assert event["event"] == "error"
    assert "999" in event["message"]


def test_noise_on_the_child_s_stdout_is_not_an_event(scripted) -> None:
    engine = scripted("print('hi'); print('[1]'); say(id=request['id'], event='result')")
    engine.send("track")
    assert [event["event"] for event in _until_last(engine)] == ["result"]


def test_cancel_names_the_job(scripted) -> None:
    body = """
    if request["do"] == "cancel":
        say(id=request["id"], event="cancelled")
    """
    engine = scripted(body)
    job = engine.send("track")
    engine.cancel(job)
    assert _until_last(engine) == [{"id": job, "event": "cancelled"}]


def test_close_ends_even_a_child_that_will_not_listen(scripted) -> None:
    engine = scripted("say(id=request['id'], event='progress'); time.sleep(60)")
    engine.send("track")
    deadline = time.monotonic() + 10
    while not engine.poll() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert engine.running
    started = time.monotonic()
    engine.close()
    assert not engine.running
    assert not engine.busy
    assert time.monotonic() - started < 5


@pytest.mark.skipif(sys.platform == "win32", reason="signals a POSIX process group")
def test_the_child_ends_when_its_parent_is_killed() -> None:
    code = (
        "import sys, types, time; m = types.ModuleType('likeness'); m.__path__ = [sys.argv[1]];"
        "sys.modules['likeness'] = m; from likeness.blender_addon.bridge import Engine;"
        "e = Engine(sys.executable); e.start(); print(e._child.process.pid, flush=True);"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(ROOT)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists() or sys.platform != "linux"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
