"""Programs run one after the other: another try, reasons, an end; and which programs set us up."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from likeness.blender_addon import environment, programs
from likeness.blender_addon.environment import Choices
from likeness.blender_addon.programs import Programs, Step
from likeness.engine.api.errors import LikenessError


def python(label, code, **more):
    return Step(label, (sys.executable, "-c", code), **more)


def run(started):
    """The last state, and every label on the way."""
    started.start()
    deadline, labels = time.monotonic() + 30, []
    while time.monotonic() < deadline:
        state = started.poll()
        labels.append(state.label)
        if state.finished:
            return state, labels
        time.sleep(0.02)
    raise TimeoutError(state)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "user" / "setup.log"


def test_every_step_runs_in_order_and_success_comes_last(log, tmp_path):
    trace = tmp_path / "trace"
    steps = [python(n, f"open({str(trace)!r}, 'a').write({n!r})") for n in "abc"]
    ends = []
    state, _ = run(Programs(steps, log, lambda: ends.append(trace.read_text())))
    assert state.error == ""
    assert ends == ["abc"]


def test_a_failing_step_ends_it_with_the_last_error_and_where_the_log_is(log):
    words = "print('ERROR: no space'); print('see pip help'); raise SystemExit(1)"
    steps = [python("Downloading", words), python("Never", "1/0")]
    state, _ = run(Programs(steps, log, lambda: pytest.fail("it did not succeed")))
    assert "Downloading failed: ERROR: no space" in state.error
    assert str(log) in state.error
    assert "1/0" not in log.read_text()


def test_an_optional_step_may_fail(log):
    steps = [python("gsplat", "raise SystemExit(1)", optional=True), python("Checking", "1")]
    assert run(Programs(steps, log))[0].error == ""


def test_a_step_that_breaks_off_is_tried_again_after_a_while(log, tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "FIRST_WAIT", 0.1)
    tries = tmp_path / "tries"
    code = f"f = open({str(tries)!r}, 'a+'); f.write('x'); f.seek(0); assert len(f.read()) > 2"
    state, labels = run(Programs([python("Downloading", code, tries=3)], log))
    assert state.error == ""
    assert "Downloading: again in 0 s" in labels
    state, _ = run(Programs([python("Downloading", "1/0", tries=2)], log))
    assert "ZeroDivisionError" in state.error
    assert log.read_text().count("$ ") == 2


def test_the_package_that_pip_is_at_is_named_and_the_bar_follows_the_weights(log):
    steps = [
        python("Packages", "print('Collecting torch==2.13.0')", weight=3),
        python("Waiting", "import time; time.sleep(30)"),
    ]
    started = Programs(steps, log)
    started.start()
    while (state := started.poll()).label.startswith("Packages"):
        assert state.label in ("Packages", "Packages: torch")
        time.sleep(0.01)
    assert state.fraction == pytest.approx(0.75)
    started.cancel()


def test_cancelling_ends_the_program_and_starts_no_other(log):
    started = Programs([python("Downloading", "import time; time.sleep(60)", tries=3)], log)
    started.start()
    process = started._process
    started.cancel()
    assert process.poll() is not None
    assert started.poll() == ("Cancelled", 0.0, True, "Cancelled.")


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LikenessError, match="cannot be set up"):
        Programs([python("Checking", "1")], tmp_path / "file" / "log").start()


def test_the_interpreter_found_is_one_that_the_packages_exist_for():
    found = environment.find_interpreter()
    if found is None:
        pytest.skip("no Python 3.11 or 3.12 on this machine")
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([found, "-c", code], capture_output=True, text=True, check=True)
    assert version.stdout.strip() in environment.PYTHONS


def commands(tmp_path, interpreter="/usr/bin/python3.11", **choices):
    steps = environment.set_up_steps(tmp_path / "engine", interpreter, Choices(**choices))
    return [step.command for step in steps]


@pytest.mark.parametrize("interpreter", [None, "/usr/bin/python3.11"])
def test_the_steps_install_pinned_packages_and_never_mediapipes_dependencies(tmp_path, interpreter):
    installs = [c for c in commands(tmp_path, interpreter) if "install" in c]
    assert any("torch==2.13.0" in command for command in installs)
    tracker = next(c for c in installs if any(p.startswith("mediapipe==") for p in c))
    assert "--no-deps" in tracker
    fetched = any("uv" in command for command in commands(tmp_path, interpreter))
    assert fetched == (interpreter is None)


def test_the_choice_of_processor_decides_on_pytorchs_index_and_gsplat(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    lean, cuda = commands(tmp_path, processor="cpu"), commands(tmp_path, processor="cuda")
    assert any(environment.TORCH_CPU_INDEX in command for command in lean)
    assert not any(environment.TORCH_CPU_INDEX in command for command in cuda)
    assert not any("gsplat" in word for command in lean for word in command)
    assert any(word.startswith("gsplat==") for command in cuda for word in command)
    monkeypatch.setattr(environment, "_WINDOWS", True)
    monkeypatch.setattr(sys, "platform", "win32")
    windows = commands(tmp_path, processor="cuda")
    assert any(environment.TORCH_CUDA_INDEX in command for command in windows)


def test_a_folder_of_wheels_keeps_pip_off_every_network(tmp_path):
    installs = [c for c in commands(tmp_path, wheels="/w", processor="cuda") if "install" in c]
    assert len(installs) == 3
    for command in installs:
        assert "--no-index" in command
        assert command[command.index("--find-links") + 1] == "/w"


def test_what_makes_a_set_up_impossible_is_said_at_once(tmp_path, monkeypatch):
    with pytest.raises(LikenessError, match="no packages"):
        environment.set_up(tmp_path / "engine", Choices(wheels=str(tmp_path)))
    (tmp_path / "torch-2.13.0-py3-none-any.whl").touch()
    monkeypatch.setattr(environment, "find_interpreter", lambda: None)
    with pytest.raises(LikenessError, match="no Python 3.11 or 3.12"):
        environment.set_up(tmp_path / "engine", Choices(wheels=str(tmp_path)))
    monkeypatch.setattr(environment, "NEEDED_BYTES", {False: 10**18, True: 10**18})
    with pytest.raises(LikenessError, match="Free some space"):
        environment.set_up(tmp_path / "engine", Choices())
