"""The reconstruction job on a small clip with known truth: what it writes, keeps and leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar
from engine.api.errors import Cancelled, LikenessError
from engine.api.messages import Message
from engine.api.requests import ReconstructRequest
from engine.api.settings import TrackSettings
from engine.clip import TrackedClip, frame_path, write_clip
from engine.imaging import write_png
from engine.jobs import run_job
from engine.jobs.previews import LEAST_SECONDS, Previews
from engine.jobs.reconstruction import tracked_clip
from engine.metrics import evaluate
from tests.engine.ellipsoid import EllipsoidClip

SETTINGS = {"uv_size": 32, "blendshapes": 4, "images": 120, "base_only_images": 40}


def write_ellipsoid(directory: Path, settings: dict[str, Any] | None = None) -> TrackedClip:
    """The ellipsoid as a tracked clip on disk, as if tracked from anna.mp4."""
    made = EllipsoidClip(frames=40, size=64)
    (directory / "frames").mkdir(parents=True)
    for index in range(len(made)):
        frame = made.frame(index)
        write_png(frame_path(directory, index), np.dstack([frame.image, frame.alpha]))
    info = {
        "source": {"name": "anna.mp4", "sha256": "ab" * 32, "crop": [0, 0, 64]},
        "settings": settings or {},
        "quality": {"warnings": ["the clip is short"]},
    }
    landmarks = np.zeros((len(made), 478, 2), np.float32)
    clip = TrackedClip(
        directory, info, made.camera, made.fps, made.params, made.times, made.confidence, landmarks
    )
    write_clip(clip, made.head)
    return clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    return write_ellipsoid(tmp_path_factory.mktemp("tracked") / "clip")


def run(source: Path, output: Path, emit: Callable[[Message], None], **more: Any) -> Message:
    """The job with small settings."""
    values = {"source": str(source), "output": str(output), "settings": SETTINGS, **more}
    return run_job("reconstruct", values, emit)


@dataclass
class Run:
    """One whole job: its folder, its result, its progress, and the size of every preview."""

    folder: Path
    result: Message
    progress: list[Message]
    previews: list[int]


@pytest.fixture(scope="module")
def done(clip: TrackedClip, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("done")
    progress, previews = [], []

    def look(event: Message) -> None:
        if event["event"] == "preview":  # whole at the moment it is told of
            previews.append(read_avatar(event["path"]).count)
        else:
            progress.append(event)

    more = {"test_frames": "6", "consent": "by letter", "preview": str(folder / "now.likeness")}
    result = run(clip.directory, folder / "anna.likeness", look, **more)
    return Run(folder, result, progress, previews)


def test_the_file_holds_what_the_result_says(clip: TrackedClip, done: Run) -> None:
    avatar = read_avatar(done.folder / "anna.likeness")
    assert done.result["gaussians"] == avatar.count == avatar.levels[0]
    assert avatar.performance.test_frames.tolist() == list(range(34, 40))
    found = evaluate(avatar, clip, np.arange(34, 40))
    assert done.result["metrics"]["psnr"] == pytest.approx(found["psnr"], abs=0.02)
    assert avatar.info["metrics"] == done.result["metrics"]


def test_the_file_tells_where_it_comes_from(done: Run) -> None:
    origin = read_avatar(done.folder / "anna.likeness").info["provenance"]
    assert origin["source"] == {"name": "anna.mp4", "sha256": "ab" * 32}
    assert origin["consent"] == "by letter"
    assert origin["synthetic"] is True


def test_what_tracking_found_wanting_is_told_again(done: Run) -> None:
    assert done.result["warnings"] == ["the clip is short"]


def test_progress_runs_from_the_start_to_near_the_end_and_never_back(done: Run) -> None:
    fractions = [event["fraction"] for event in done.progress]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.05  # there was no tracking to do
    assert fractions[-1] > 0.9


def test_every_preview_is_a_whole_avatar_and_nothing_else_is_left(done: Run) -> None:
    assert done.previews
    assert min(done.previews) > 100
    names = sorted(path.name for path in done.folder.iterdir())
    assert names == ["anna.likeness", "now.likeness"]


def test_previews_keep_to_their_share_of_the_time(
    clip: TrackedClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("engine.jobs.previews.time.monotonic", lambda: clock[0])

    def slow_write(path: str, avatar: object) -> None:
        clock[0] += 2.0

    monkeypatch.setattr("engine.jobs.previews.write_avatar", slow_write)
    monkeypatch.setattr("engine.bake.bake", lambda *args, **options: None)
    shown: list[float] = []
    previews = Previews("p.likeness", clip, {}, lambda event: shown.append(clock[0]))
    for _ in range(1000):
        previews.offer(None)  # type: ignore[arg-type]
        clock[0] += 0.5
    gaps = np.diff(shown)
    assert len(shown) > 5
    assert gaps.min() >= max(LEAST_SECONDS, 2.0 / 0.05)


def test_cancel_in_the_middle_of_a_fit_leaves_nothing(clip: TrackedClip, tmp_path: Path) -> None:
    def stop(event: Message) -> None:
        if event["event"] == "progress" and "Blendshapes" in event["stage"]:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        run(clip.directory, tmp_path / "anna.likeness", stop)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Tracking replaced by the ellipsoid: the folders it was asked to write."""
    asked: list[Path] = []

    def track_clip(source: Path, output: Path, settings: TrackSettings, report: Any) -> TrackedClip:
        asked.append(Path(output))
        return write_ellipsoid(Path(output), asdict(settings))

    monkeypatch.setattr("engine.jobs.reconstruction.track_clip", track_clip)
    return asked


def test_a_clip_nobody_asked_to_keep_is_removed(tracked: list[Path], tmp_path: Path) -> None:
    request = ReconstructRequest(str(tmp_path / "anna.mp4"), str(tmp_path / "anna.likeness"))
    with tracked_clip(request, lambda stage, fraction: None) as clip:
        assert clip.frame(3).image.any()
    assert len(tracked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_kept_clip_is_reused_until_footage_or_settings_change(
    tracked: list[Path], tmp_path: Path
) -> None:
    footage, kept = tmp_path / "anna.mp4", tmp_path / "kept"
    footage.touch()

    def fit(**track: Any) -> int:
        before = len(tracked)
        request = ReconstructRequest(
            str(footage), str(tmp_path / "a.likeness"), clip=str(kept), track=track
        )
        with tracked_clip(request, lambda stage, fraction: None) as clip:
            assert len(clip) == 40
        return len(tracked) - before

    assert fit() == 1
    assert fit() == 0
    newer = (kept / "clip.json").stat().st_mtime + 5
    os.utime(footage, (newer, newer))
    with pytest.raises(FileExistsError):  # the stand-in cannot write over a clip: it was asked to
        fit()
    os.utime(footage, (newer - 100, newer - 100))
    assert fit() == 0
    with pytest.raises(FileExistsError):
        fit(fast_matte=True)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "magic"},
        {"preset": "finest"},
        {"settings": {"uv": 3}},
        {"settings": {"uv_size": "3"}},
        {"track": {"size": 10}, "source": "anna.mp4"},
        {"test_frames": "90"},
        {"test_frames": "some"},
        {"device": "abacus"},
        {"size": 5000},
    ],
)
def test_a_request_that_cannot_work_is_refused(
    clip: TrackedClip, tmp_path: Path, change: dict[str, Any]
) -> None:
    values = {"source": str(clip.directory), "output": str(tmp_path / "a.likeness"), **change}
    with pytest.raises(LikenessError) as caught:
        run_job("reconstruct", values, lambda event: None)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []
