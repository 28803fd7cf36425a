"""A fit that was interrupted goes on where it was and ends with the same avatar, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.api.avatar_file import read_avatar
from engine.api.errors import Cancelled, LikenessError
from engine.api.messages import Message
from engine.api.settings import RGBAvatarSettings
from engine.clip import TrackedClip
from engine.jobs import run_job
from engine.methods.checkpoints import Checkpoints
from engine.methods.pace import Pace
from engine.methods.rgbavatar import reconstruct
from engine.methods.training_frames import TrainingFrames
from tests.engine.ellipsoid import EllipsoidClip
from tests.engine.test_reconstruct_job import write_ellipsoid

ROOT = Path(__file__).parents[2]
SMALL = {"uv_size": 32, "blendshapes": 4, "images": 400, "base_only_images": 40, "size": 64}

# The command line with a preset for tests, and checkpoints as often as reports.
IMPATIENT = f"""
import sys
from engine.api.settings import METHODS, RGBAvatarSettings
from engine.command_line import main
from engine.methods import checkpoints, pace
checkpoints.EVERY_SECONDS, checkpoints.SHARE, pace.REPORT_SECONDS = 0.1, 1.0, 0.05
METHODS["rgbavatar"].presets["draft"] = RGBAvatarSettings(**{SMALL})
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    return write_ellipsoid(tmp_path_factory.mktemp("tracked") / "clip")


@pytest.fixture(scope="module")
def uninterrupted(clip: TrackedClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "anna.likeness"
    run_job("reconstruct", request(clip, output), lambda event: None)
    return output


def request(clip: TrackedClip, output: Path, **more: Any) -> dict[str, Any]:
    return {"source": str(clip.directory), "output": str(output), "settings": SMALL, **more}


def assert_same_avatar(one: Path, other: Path) -> None:
    first, second = read_avatar(one), read_avatar(other)
    np.testing.assert_array_equal(first.base, second.base)
    np.testing.assert_array_equal(first.deltas, second.deltas)
    for (weight, bias), (weight_2, bias_2) in zip(
        first.weight_map.layers, second.weight_map.layers, strict=True
    ):
        np.testing.assert_array_equal(weight, weight_2)
        np.testing.assert_array_equal(bias, bias_2)


def command(clip: TrackedClip, output: Path, *more: str) -> list[str]:
    words = ["fit", str(clip.directory), "-o", str(output), "--preset", "draft", *more]
    return [sys.executable, "-c", IMPATIENT, *words]


def killed(clip: TrackedClip, output: Path, stop: int) -> subprocess.Popen[str]:
    """A fit of a process of its own, sent a signal after its first checkpoint, and its end."""
    process = subprocess.Popen(command(clip, output), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    checkpoint = output.parent / ".anna.unfinished" / "checkpoint.npz"
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(stop)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_killed_and_started_again_the_fit_gives_the_same_avatar(
    clip: TrackedClip, uninterrupted: Path, tmp_path: Path
) -> None:
    output = tmp_path / "anna.likeness"
    assert killed(clip, output, signal.SIGKILL).wait(120) == -signal.SIGKILL
    assert not output.exists()
    again = subprocess.run(command(clip, output), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert [line for line in again.stderr.splitlines() if line.startswith("Resuming at ")]
    assert [path.name for path in tmp_path.iterdir()] == ["anna.likeness"]
    assert_same_avatar(output, uninterrupted)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_in_a_fit_keeps_it_and_says_how_to_go_on(clip: TrackedClip, tmp_path: Path) -> None:
    process = killed(clip, tmp_path / "anna.likeness", signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on from here" in errors
    assert (tmp_path / ".anna.unfinished" / "checkpoint.npz").exists()


class Stopped:
    """A job that is cancelled in the middle of its fit: its folder, and what it tells when asked
    to go on."""

    def __init__(self, clip: TrackedClip, folder: Path) -> None:
        self.clip, self.output = clip, folder / "anna.likeness"
        self.checkpoint = folder / ".anna.unfinished" / "checkpoint.npz"

        def stop(event: Message) -> None:
            if event["event"] == "progress" and "Blendshapes" in event["stage"]:
                raise Cancelled("Cancelled.")

        with pytest.raises(Cancelled):
            run_job("reconstruct", request(clip, self.output), stop)

    def go_on(self, **changes: Any) -> list[str]:
        told: list[str] = []

        def listen(event: Message) -> None:
            if event["event"] == "notice":
                told.append(event["message"])

        run_job("reconstruct", request(self.clip, self.output, **changes), listen)
        assert [path.name for path in self.output.parent.iterdir()] == ["anna.likeness"]
        return told


@pytest.fixture
def stopped(clip: TrackedClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stopped:
    monkeypatch.setattr("engine.methods.pace.REPORT_SECONDS", 0.05)
    return Stopped(clip, tmp_path)


def test_cancelled_and_asked_again_the_fit_gives_the_same_avatar(
    stopped: Stopped, uninterrupted: Path
) -> None:
    assert "Resuming at" in stopped.go_on()[0]
    assert_same_avatar(stopped.output, uninterrupted)


def test_a_restart_begins_anew(stopped: Stopped, uninterrupted: Path) -> None:
    assert stopped.go_on(restart=True) == []
    assert_same_avatar(stopped.output, uninterrupted)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "the seed is not"),
        ({"test_frames": "4"}, "the held-out frames is not"),
        ({"settings": {**SMALL, "images": 200}}, "the settings is not"),
    ],
)
def test_other_arguments_start_afresh_and_say_why(
    stopped: Stopped, change: dict[str, Any], words: str
) -> None:
    told = stopped.go_on(**change)
    assert len(told) == 1
    assert told[0].startswith("Starting afresh: ")


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _rewritten(change: Callable[[dict[str, np.ndarray], dict[str, Any]], None]) -> Any:
    def rewrite(path: Path) -> None:
        with np.load(path) as archive:
            arrays = dict(archive)
        header = json.loads(arrays["header"].tobytes())
        change(arrays, header)
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez(path, **arrays)

    return rewrite


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut short": (_cut, "damaged"),
    "one byte flipped": (_flip, "damaged"),
    "empty": (_empty, "damaged"),
    "newer": (_rewritten(lambda a, h: h.update(version=2)), "newer version"),
    "another shape": (
        _rewritten(lambda a, h: a.update({"avatar/means": a["avatar/means"][1:]})),
        "damaged",
    ),
    "not a number": (
        _rewritten(lambda a, h: a.update({"avatar/means": a["avatar/means"] * np.nan})),
        "damaged",
    ),
    "a frame too many": (_rewritten(lambda a, h: a.update(queue=a["queue"] + 99)), "damaged"),
    "a pickle": (
        _rewritten(lambda a, h: a.update(generator=np.array([print], object))),
        "damaged",
    ),
    "half an optimiser": (_rewritten(lambda a, h: a.pop("adam/0/exp_avg")), "damaged"),
    "counts that are none": (_rewritten(lambda a, h: h.update(images="many")), "damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_cannot_be_used_is_told_in_one_line_and_changes_nothing(
    damage: str, tmp_path: Path
) -> None:
    tamper, word = DAMAGES[damage]
    path, told = tmp_path / "checkpoint.npz", []
    checkpoints = Checkpoints(path, {"seed": 0}, told.append)
    small = EllipsoidClip(frames=6, size=32)
    settings = RGBAvatarSettings(**{**SMALL, "size": 32, "images": 40})

    def start() -> Any:
        return reconstruct(small, settings, "cpu", checkpoints=checkpoints)

    fresh = next(start()).avatar.state_dict()
    *_, last = start()
    tamper(path)
    found = next(start())
    assert len(told) == 1
    assert "Starting afresh: " in told[0]
    assert word in told[0]
    assert found.step == 0
    for name, value in found.avatar.state_dict().items():
        assert torch.equal(value, fresh[name])


def test_two_fits_of_one_avatar_at_a_time_are_refused(clip: TrackedClip, tmp_path: Path) -> None:
    output = tmp_path / "anna.likeness"
    refused: list[str] = []

    def ask_again(event: Message) -> None:
        if not refused:
            refused.append("")
            with pytest.raises(LikenessError) as caught:
                run_job("reconstruct", request(clip, output), lambda event: None)
            refused[0] = caught.value.message
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        run_job("reconstruct", request(clip, output), ask_again)
    assert "Another fit is at work on anna" in refused[0]
    assert list(tmp_path.iterdir()) == []


def test_a_time_limit_holds_over_an_interruption_and_leaves_time_for_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr("engine.methods.pace.time.monotonic", lambda: clock[0])
    pace = Pace(images=1000, seconds=60)
    pace.reserve = 10
    clock[0] += 25
    assert pace.done(0) == pytest.approx(0.5)
    assert pace.done(900) == pytest.approx(0.9)  # whichever is more
    later = Pace(images=1000, seconds=60)
    later.reserve = 10
    later.resume(pace.spent)
    clock[0] += 25
    assert later.done(0) == 1


def test_a_short_fit_reads_no_more_frames_than_its_time_allows(clip: TrackedClip) -> None:
    every = np.arange(len(clip))
    assert len(TrainingFrames(clip, every, 64, seconds=3)) == 24
    assert len(TrainingFrames(clip, every, 64, seconds=300)) == len(clip)
