"""Making the engine's environment: a stamp only for what is whole, reasons for what is not."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from likeness.blender_addon import environment
from likeness.blender_addon.environment import SetUp, Step
from likeness.engine.api.errors import LikenessError


def python(label, code, optional=False):
    return Step(label, (sys.executable, "-c", code), optional)


def run(set_up):
    set_up.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = set_up.poll()
        if state.finished:
            return state
        time.sleep(0.02)
    raise TimeoutError(state)


@pytest.fixture
def folder(tmp_path):
    """An environment with an interpreter, not yet stamped."""
    python = environment.python_in(tmp_path / "engine")
    python.parent.mkdir(parents=True)
    python.touch()
    return tmp_path / "engine"


def test_every_step_runs_in_order_and_the_stamp_comes_last(folder, tmp_path):
    trace = tmp_path / "trace"
    steps = [python(n, f"open({str(trace)!r}, 'a').write({n!r})") for n in "abc"]
    assert not environment.is_complete(folder)
    assert run(SetUp(folder, steps)).error == ""
    assert trace.read_text() == "abc"
    assert environment.is_complete(folder)


def test_a_failing_step_ends_it_with_the_last_error_and_no_stamp(folder):
    words = "print('ERROR: no space'); print('see pip help'); raise SystemExit(1)"
    state = run(SetUp(folder, [python("Downloading", words), python("Never", "1/0")]))
    assert "Downloading failed: ERROR: no space" in state.error
    assert not environment.is_complete(folder)


def test_an_optional_step_may_fail(folder):
    steps = [python("gsplat", "raise SystemExit(1)", optional=True), python("Checking", "1")]
    assert run(SetUp(folder, steps)).error == ""
    assert environment.is_complete(folder)


def test_cancelling_ends_the_program_and_leaves_no_stamp(folder):
    set_up = SetUp(folder, [python("Downloading", "import time; time.sleep(60)")])
    set_up.start()
    process = set_up._process
    set_up.cancel()
    assert process.poll() is not None
    assert set_up.poll().finished
    assert not environment.is_complete(folder)


def test_starting_again_takes_the_old_stamp_away(folder):
    run(SetUp(folder, [python("Checking", "1")]))
    failing = SetUp(folder, [python("Downloading", "raise SystemExit(1)")])
    run(failing)
    assert not environment.is_complete(folder)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LikenessError, match="cannot be set up"):
        SetUp(tmp_path / "file" / "engine", [python("Checking", "1")]).start()


def test_the_interpreter_found_is_one_that_the_packages_exist_for():
    found = environment.find_interpreter()
    if found is None:
        pytest.skip("no Python 3.11 or 3.12 on this machine")
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([found, "-c", code], capture_output=True, text=True, check=True)
    assert version.stdout.strip() in environment.PYTHONS


@pytest.mark.parametrize("interpreter", [None, "/usr/bin/python3.11"])
def test_the_steps_install_pinned_packages_and_never_mediapipes_dependencies(tmp_path, interpreter):
    steps = environment.set_up_steps(tmp_path / "engine", interpreter)
    installs = [step.command for step in steps if "install" in step.command]
    assert any("torch==2.13.0" in command for command in installs)
    tracker = next(c for c in installs if any(p.startswith("mediapipe==") for p in c))
    assert "--no-deps" in tracker
    assert ("uv" in steps[2].command) == (interpreter is None)
