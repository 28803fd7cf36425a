"""The reconstruction job on the fly, in real time, on a clip of a second and a half."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.api.avatar_file import read_avatar
from engine.api.errors import Cancelled, LikenessError
from engine.api.messages import Message
from engine.clip import TrackedClip
from engine.jobs import run_job
from engine.metrics import evaluate, held_out
from tests.engine.test_reconstruct_job import write_ellipsoid

SETTINGS = {"uv_size": 32, "blendshapes": 4, "images": 120, "base_only_images": 12, "size": 64}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    return write_ellipsoid(tmp_path_factory.mktemp("tracked") / "clip")


def run(clip: TrackedClip, folder: Path, emit: Callable[[Message], None], **more: Any) -> Message:
    values = {
        "source": str(clip.directory),
        "output": str(folder / "anna.likeness"),
        "settings": SETTINGS,
        "online": True,
        "preview": str(folder / "now.likeness"),
        **more,
    }
    return run_job("reconstruct", values, emit)


def test_the_avatar_of_a_stream_beats_its_first_preview(clip: TrackedClip, tmp_path: Path) -> None:
    tests, first, told = held_out(len(clip)), [], list[Message]()

    def look(event: Message) -> None:
        """Stops some hundred images after the last frame, however long a machine takes for them."""
        if event["event"] == "preview" and not first:
            first.append(evaluate(read_avatar(event["path"]), clip, tests)["psnr"])
        told.append(event)
        if first and sum(f"Live: {len(clip)} frames" in str(one.get("stage")) for one in told) > 12:
            raise Cancelled("Cancelled.")

    result = run(clip, tmp_path, look, polish_seconds=300.0)
    avatar = read_avatar(tmp_path / "anna.likeness")
    assert evaluate(avatar, clip, tests)["psnr"] > first[0] + 1
    assert result["metrics"]["frames"] == len(tests)
    assert avatar.performance.test_frames.tolist() == tests.tolist()
    assert len(avatar.performance.times) == len(clip)
    assert avatar.info["online"]["frames"]["tracked"] == len(clip)
    assert avatar.info["online"]["seconds"] >= len(clip) / clip.fps
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["anna.likeness", "now.likeness", "now.png"]


def test_to_cancel_a_stream_is_to_finish_it(clip: TrackedClip, tmp_path: Path) -> None:
    def stop(event: Message) -> None:
        if event["event"] == "preview" or stopped:
            stopped.append(event)
            raise Cancelled("Cancelled.")

    stopped: list[Message] = []
    result = run(clip, tmp_path, stop, polish_seconds=60.0)
    assert len(stopped) == 1  # and then nothing was said any more
    assert read_avatar(result["path"]).count == result["gaussians"] > 100


def test_cancelled_before_anything_was_learned_it_leaves_nothing(
    clip: TrackedClip, tmp_path: Path
) -> None:
    def stop(event: Message) -> None:
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        run(clip, tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"more_sources": ["b.mp4"]}, "no use for more_sources"),
        ({"method": "flashavatar", "settings": {}}, "does not learn on the fly"),
        ({"source": "camera:no-such-device"}, "There is no camera"),
    ],
)
def test_what_cannot_be_done_on_the_fly_is_said_before_it_starts(
    clip: TrackedClip, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(LikenessError, match=words):
        run(clip, tmp_path, lambda event: None, **change)
    assert not (tmp_path / "anna.likeness").exists()
