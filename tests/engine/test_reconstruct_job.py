"""The reconstruction job on a small clip with known truth: what it writes, keeps and leaves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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
from engine.footage import footage_digest
from engine.imaging import read_image, write_png
from engine.jobs import run_job
from engine.jobs.previews import LEAST_SECONDS, PICTURE_SIZE, Previews
from engine.jobs.source_clip import source_clip
from engine.metrics import evaluate
from tests.engine.ellipsoid import EllipsoidClip

SETTINGS = {"uv_size": 32, "blendshapes": 4, "images": 120, "base_only_images": 40}


def write_ellipsoid(
    directory: Path, settings: dict[str, Any] | None = None, digest: str = "ab" * 32
) -> TrackedClip:
    """The ellipsoid as a tracked clip on disk, as if tracked from anna.mp4."""
    made = EllipsoidClip(frames=40, size=64)
    (directory / "frames").mkdir(parents=True)
    for index in range(len(made)):
        frame = made.frame(index)
        write_png(frame_path(directory, index), np.dstack([frame.image, frame.alpha]))
    info = {
        "source": {"name": "anna.mp4", "sha256": digest, "crop": [0, 0, 64]},
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
        elif event["event"] == "progress":
            progress.append(event)

    more = {"test_frames": "6", "consent": "by letter", "preview": str(folder / "now.likeness")}
    result = run(clip.directory, folder / "anna.likeness", look, **more)
    return Run(folder, result, progress, previews)


def test_the_file_holds_what_the_result_says(clip: TrackedClip, done: Run) -> None:
    avatar = read_avatar(done.folder / "anna.likeness")
    assert done.result["gaussians"] == avatar.count == avatar.levels[0]
    assert avatar.performance.test_frames.tolist() == list(range(34, 40))
    posed = replace(clip, params=avatar.performance.params)
    found = evaluate(avatar, posed, np.arange(34, 40))
    assert done.result["metrics"]["psnr"] == pytest.approx(found["psnr"], abs=0.02)
    # As tracked: the other frames' corrections are no matter, the held-out ones' were taken back.
    as_tracked = evaluate(avatar, clip, np.arange(34, 40))
    assert done.result["metrics"]["psnr_as_tracked"] == pytest.approx(as_tracked["psnr"], abs=0.02)
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
    assert names == ["anna.likeness", "now.likeness", "now.png"]


def test_the_picture_of_a_preview_shows_the_avatar(done: Run) -> None:
    picture, _ = read_image(done.folder / "now.png")
    middle = picture[len(picture) // 2, picture.shape[1] // 2]
    assert picture.shape[1] == PICTURE_SIZE
    assert picture[:4].max() < 10  # above the head there is nothing
    assert middle.max() > 60


def test_previews_keep_to_their_share_of_the_time(
    clip: TrackedClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("engine.jobs.previews.time.monotonic", lambda: clock[0])

    def slow_write(path: str, avatar: object) -> None:
        clock[0] += 2.0

    monkeypatch.setattr("engine.jobs.previews.write_avatar", slow_write)
    monkeypatch.setattr("engine.jobs.previews.write_picture", lambda *args: "")
    monkeypatch.setattr("engine.bake.bake", lambda *args, **options: None)
    shown: list[float] = []
    previews = Previews("p.likeness", clip, {}, lambda event: shown.append(clock[0]))
    for _ in range(1000):
        previews.offer(None)  # type: ignore[arg-type]
        clock[0] += 0.5
    gaps = np.diff(shown)
    assert len(shown) > 5
    assert gaps.min() >= max(LEAST_SECONDS, 2.0 / 0.05)


def test_cancel_in_the_middle_of_a_fit_leaves_only_what_it_goes_on_from(
    clip: TrackedClip, tmp_path: Path
) -> None:
    def stop(event: Message) -> None:
        if event["event"] == "progress" and "Blendshapes" in event["stage"]:
            raise Cancelled("Cancelled.")

    endless = {**SETTINGS, "images": 10**6}  # a quick machine may not be done before it is heard
    with pytest.raises(Cancelled):
        run(clip.directory, tmp_path / "anna.likeness", stop, settings=endless)
    names = sorted(path.name for path in tmp_path.rglob("*"))
    assert names == [".anna.unfinished", "checkpoint.npz", "lock"]


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Tracking replaced by the ellipsoid: the folders it was asked to write."""
    asked: list[Path] = []

    def track_clip(
        sources: list[Path], output: Path, settings: TrackSettings, report: Any
    ) -> TrackedClip:
        asked.append(Path(output))
        shutil.rmtree(output, ignore_errors=True)
        return write_ellipsoid(Path(output), asdict(settings), footage_digest(sources[0]))

    monkeypatch.setattr("engine.jobs.source_clip.track_clip", track_clip)
    return asked


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    path = tmp_path / "anna.mp4"
    path.write_bytes(b"filmed on Monday")
    return path


def clip_of(footage: Path, work: Path, **more: Any) -> list[str]:
    """Ask for the clip of the footage; what is told about an earlier one."""
    told: list[str] = []
    request = ReconstructRequest(str(footage), str(footage.with_suffix(".likeness")), **more)
    assert len(source_clip(request, work, lambda stage, fraction: None, told.append)) == 40
    return told


def test_tracking_is_not_repeated_for_a_fit_that_goes_on(
    tracked: list[Path], footage: Path, tmp_path: Path
) -> None:
    assert clip_of(footage, tmp_path / "work") == []
    assert clip_of(footage, tmp_path / "work") == []
    assert tracked == [tmp_path / "work" / "clip"]


@pytest.mark.parametrize("kept", ["", "kept"])
def test_an_earlier_clip_is_used_until_footage_or_settings_change(
    tracked: list[Path], footage: Path, tmp_path: Path, kept: str
) -> None:
    clip = str(tmp_path / kept) if kept else ""
    work = tmp_path / "work"
    clip_of(footage, work, clip=clip)
    os.utime(footage, (1e9, 1e9))  # a copy of a file is the same footage
    assert clip_of(footage, work, clip=clip) == []
    assert "other settings" in clip_of(footage, work, clip=clip, track={"fast_matte": True})[0]
    footage.write_bytes(b"filmed on Tuesday")
    assert "other footage" in clip_of(footage, work, clip=clip, track={"fast_matte": True})[0]
    assert len(tracked) == 3


def test_a_damaged_clip_is_tracked_again(
    tracked: list[Path], footage: Path, tmp_path: Path
) -> None:
    clip_of(footage, tmp_path)
    (tmp_path / "clip" / "tracking.npz").write_bytes(b"PK cut short")
    assert "damaged" in clip_of(footage, tmp_path)[0]
    assert len(tracked) == 2


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
