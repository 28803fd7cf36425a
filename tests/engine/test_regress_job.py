"""The regression job on a small clip with known truth: frames, result, progress, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar
from engine.api.errors import Cancelled, LikenessError
from engine.api.messages import Message
from engine.jobs import run_job
from engine.jobs.regression import chosen_frames
from tests.engine.test_reconstruct_job import write_ellipsoid


@pytest.mark.parametrize(
    ("text", "count", "frames"),
    [("", 3, [0, 1, 2]), ("0,5", 9, [0, 5]), ("1", 11, [5]), ("3", 3, [0, 1, 2])],
)
def test_frames_are_named_by_count_or_number(text: str, count: int, frames: list[int]) -> None:
    assert chosen_frames(text, count).tolist() == frames


def test_sixteen_of_a_long_clip_are_spread_over_it() -> None:
    frames = chosen_frames("", 1000)
    assert len(frames) == 16
    assert np.ptp(np.diff(frames)) <= 1


@pytest.mark.parametrize("text", ["0", "-1", "9", "one", "0,9", "", "1:2"])
def test_frames_that_are_not_there_are_refused(text: str) -> None:
    if text in ("", "9"):
        assert len(chosen_frames(text, 9)) == 9
        return
    with pytest.raises(LikenessError, match="names none of the 9 frames"):
        chosen_frames(text, 9)


def run(source: Path, output: Path, **more: Any) -> tuple[Message, list[Message]]:
    events: list[Message] = []
    values = {"source": str(source), "output": str(output), "refine": 0.5, **more}
    return run_job("regress", values, events.append), events


def test_the_job_makes_an_avatar_of_two_frames_and_measures_the_others(tmp_path: Path) -> None:
    clip = write_ellipsoid(tmp_path / "clip")
    output = tmp_path / "anna.likeness"
    preview = tmp_path / "preview.likeness"
    result, events = run(clip.directory, output, frames="2,30", preview=str(preview))
    avatar = read_avatar(output)
    assert result["pictures_seen"] == 2
    assert min(result["psnr_seen"], result["metrics"]["psnr"]) > 15
    assert avatar.info["method"] == "omgavatar"
    told = [event["message"] for event in events if event["event"] == "notice"]
    assert any("not on 'ellipsoid': the pictures are projected" in words for words in told)
    assert not np.isin([2, 30], avatar.performance.test_frames).any()
    assert len(avatar.levels) > 1
    assert [event for event in events if event["event"] == "preview"]
    fractions = [event["fraction"] for event in events if event["event"] == "progress"]
    assert fractions == sorted(fractions)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "anna.likeness", "clip", "preview.likeness", "preview.png",
    ]  # fmt: skip


def test_a_cancelled_job_leaves_no_avatar(tmp_path: Path) -> None:
    clip = write_ellipsoid(tmp_path / "clip")

    def stop(event: Message) -> None:
        if event.get("stage") == "Refining":
            raise Cancelled("Cancelled.")

    values = {"source": str(clip.directory), "output": str(tmp_path / "a.likeness"), "frames": "1"}
    with pytest.raises(Cancelled):
        run_job("regress", values, stop)
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"method": "magic"}, "no method 'magic'"),
        ({"refine": -1.0}, "less than no time"),
        ({"more_sources": ["a.jpg"] * 64}, "65 pictures are more"),
        ({"output": "a.txt"}, "no avatar's file name"),
        ({"add_to": "none.likeness"}, "none.likeness"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    values = {"source": str(tmp_path), "output": str(tmp_path / "a.likeness"), **more}
    with pytest.raises(LikenessError, match=words):
        run_job("regress", values, lambda _: None)
