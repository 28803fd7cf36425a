"""Messages, requests, progress and whole-or-nothing files: the small promises of the boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.api.atomic import replacing
from engine.api.errors import LikenessError
from engine.api.messages import MAX_LINE_BYTES, Message, decode, encode
from engine.api.requests import ReconstructRequest, RenderRequest, parse
from engine.progress import ProgressEvents, span


def test_a_message_is_one_line_whatever_its_text() -> None:
    message = {"id": 3, "event": "error", "message": "two\nlines, \u2028 and \u00e9"}
    line = encode(message)
    assert len(line.splitlines()) == 1
    assert decode(line) == message


def test_what_json_cannot_hold_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"id": 1, "loss": float("nan")})
    with pytest.raises(TypeError):
        encode({"id": 1, "path": Path("x")})


@pytest.mark.parametrize(
    "line", ["", "{", "3", "[1]", "{}", "[" * 100_000, " " * (MAX_LINE_BYTES + 1)]
)
def test_what_is_no_message_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):
        decode(line)


def test_a_request_takes_its_fields_and_keeps_the_defaults() -> None:
    request = parse(
        ReconstructRequest, {"source": "a.mp4", "output": "a.likeness", "max_seconds": 5}
    )
    assert (request.source, request.max_seconds, request.preset) == ("a.mp4", 5, "standard")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"output": "x"}, "no avatar"),
        ({"avatar": "a", "output": ""}, "no output"),
        ({"avatar": "a", "output": "x", "colour": 1}, "'colour'"),
        ({"avatar": "a", "output": "x", "size": "big"}, "size is 'big'"),
        ({"avatar": "a", "output": "x", "size": True}, "size is True"),
        ({"avatar": "a", "output": "x", "performance": 1}, "performance is 1"),
        ({"avatar": ["a"], "output": "x"}, "avatar is"),
    ],
)
def test_a_wrong_field_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(LikenessError, match=words) as caught:
        parse(RenderRequest, values)
    assert caught.value.hint


def test_progress_never_runs_back_and_the_time_left_is_told_once_known() -> None:
    events: list[Message] = []
    bar = ProgressEvents(events.append)
    for stage, fraction in (("a", 0.0), ("b", 0.5), ("c", 0.2), ("d", 1.0)):
        bar(stage, fraction)
    assert [event["fraction"] for event in events] == [0, 0.5, 0.5, 1]
    assert [event["seconds_left"] is None for event in events] == [True, False, False, False]
    assert events[-1]["seconds_left"] == 0


def test_a_thousand_reports_a_second_are_few_events() -> None:
    events: list[Message] = []
    bar = ProgressEvents(events.append)
    for step in range(1000):
        bar("fitting", step / 1000)
    assert len(events) < 50


def test_a_span_is_its_part_of_the_whole() -> None:
    told: list[float] = []
    part = span(lambda stage, fraction: told.append(fraction), 0.2, 0.6)
    for fraction in (-1, 0, 0.5, 1, 2):
        part("", fraction)
    assert told == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.6])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_file_as_it_was(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_write_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("before")
    with replacing(path) as temporary:
        assert temporary.suffix == ".mp4"  # encoders choose the format by it
        temporary.write_text("after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]
