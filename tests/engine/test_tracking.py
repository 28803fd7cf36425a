"""Tracking on real footage, and what it says about footage that no avatar can be made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.api.errors import Cancelled, FootageError, TrackingError
from engine.api.settings import TrackSettings
from engine.clip import TrackedClip
from engine.imaging import read_image, resize, write_png
from engine.tracking import track
from engine.tracking.contact_sheet import COLUMNS, TILE
from engine.tracking.gaze import open_share
from engine.video import encode

SHARED = Path(__file__).parents[3] / "shared" / "footage"
FAST = TrackSettings(size=256, fast_matte=True, max_frames=60)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    if not SHARED.is_dir():
        pytest.skip("the test footage lies in ../shared/footage, which is absent")
    directory = tmp_path_factory.mktemp("clip") / "glasses"
    return track(SHARED / "glasses_man.mp4", directory, FAST)


def portrait() -> np.ndarray:
    """A public-domain portrait, 512 px, with one face."""
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut()[:400, 60:460])


def test_landmarks_are_met_within_two_pixels_at_512(clip: TrackedClip) -> None:
    quality = clip.info["quality"]
    assert quality["reprojection_px_at_512"] < 2.0
    assert quality["lost_share"] == 0
    assert len(clip) == 60


def test_the_report_lies_beside_the_clip_and_says_what_to_film_better(clip: TrackedClip) -> None:
    found = json.loads((clip.directory / "report.json").read_text("utf-8"))
    told = (clip.directory / "report.txt").read_text("utf-8")
    assert found["findings"] == clip.info["quality"]["findings"]
    assert "The clip is short (2 s)" in told
    assert "Film 20 to 60 seconds" in told
    filming = {"blur", "exposure", "white_balance", "second_face", "moving_camera", "leaves",
               "cuts", "blocks", "soft", "burnt", "dark"}  # fmt: skip
    assert not filming & {finding["name"] for finding in found["findings"]}
    sheet = read_image(clip.directory / "contact_sheet.png")
    assert sheet is not None
    assert sheet[0].shape == (4 * TILE, 2 * COLUMNS * TILE, 3)


def test_a_blink_closes_both_eyes_and_leaves_the_jaw_alone(clip: TrackedClip) -> None:
    names = clip.head.expression_names
    blink = clip.params.expression[:, [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]]
    opened = open_share(clip.landmarks).mean(1)
    closed, wide = opened < 0.4, opened > 0.85
    assert closed.any()
    assert wide.any()
    assert np.median(blink[closed]) > 0.6
    assert np.median(blink[wide]) < 0.25
    jaw = clip.params.expression[:, names.index("jawOpen")]
    assert abs(np.median(jaw[closed]) - np.median(jaw[wide])) < 0.1


def test_coefficients_are_bounded_and_the_jaw_joint_rests(clip: TrackedClip) -> None:
    expression = clip.params.expression
    assert expression.min() >= 0
    assert expression.max() <= 1
    assert not clip.params.jaw.any()


def test_the_matte_holds_the_face_and_not_the_corners(clip: TrackedClip) -> None:
    frame = clip.frame(30)
    x, y = clip.landmarks[30, 4].astype(int)  # the tip of the nose
    assert frame.alpha[y, x] == 255
    assert frame.alpha[2, 2] < 10
    assert frame.image.shape == (256, 256, 3)


def test_the_provenance_of_the_footage_is_kept(clip: TrackedClip) -> None:
    source = clip.info["source"]
    assert source["name"] == "glasses_man.mp4"
    assert len(source["sha256"]) == 64


def test_one_portrait_is_tracked(tmp_path: Path) -> None:
    write_png(tmp_path / "one.png", portrait())
    clip = track(tmp_path / "one.png", tmp_path / "clip", TrackSettings(size=256))
    assert len(clip) == 1
    assert clip.info["quality"]["reprojection_px_at_512"] < 2.5


def video_of(path: Path, picture: np.ndarray, frames: int) -> Path:
    height, width = picture.shape[:2]
    encode(path, [picture] * frames, width, height, 25.0)
    return path


def test_footage_without_a_face_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    path = video_of(tmp_path / "noise.mp4", noise, 12)
    with pytest.raises(TrackingError, match="No face was found in 12 of 12 frames"):
        track(path, tmp_path / "clip")
    assert [p.name for p in tmp_path.iterdir()] == ["noise.mp4"]


def test_two_faces_are_refused(tmp_path: Path) -> None:
    one = resize(portrait(), 320, 320)
    path = video_of(tmp_path / "two.mp4", np.concatenate([one, one[:, ::-1]], axis=1), 12)
    with pytest.raises(TrackingError, match="Two faces"):
        track(path, tmp_path / "clip")


def test_three_frames_are_too_few(tmp_path: Path) -> None:
    path = video_of(tmp_path / "three.mp4", portrait(), 3)
    with pytest.raises(FootageError, match=r"three\.mp4 has only 3 frames"):
        track(path, tmp_path / "clip")


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_cancelling_leaves_nothing_and_keeps_the_older_clip(tmp_path: Path, share: float) -> None:
    path = video_of(tmp_path / "still.mp4", portrait(), 12)
    settings = TrackSettings(size=256, fast_matte=True)
    track(path, tmp_path / "clip", settings)

    def cancel(stage: str, fraction: float) -> None:
        if stage == "matting" and fraction >= share:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        track(path, tmp_path / "clip", settings, cancel)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip", "still.mp4"]
    assert len(TrackedClip.load(tmp_path / "clip")) == 12


def test_a_frame_that_cannot_be_written_stops_the_tracking(tmp_path: Path) -> None:
    path = video_of(tmp_path / "still.mp4", portrait(), 12)

    def obstruct(stage: str, fraction: float) -> None:
        if stage == "matting" and fraction == 0:
            (work,) = tmp_path.glob(".clip-*")
            (work / "frames" / "00005.png").mkdir()

    with pytest.raises(OSError, match=r"00005\.png"):
        track(path, tmp_path / "clip", TrackSettings(size=256, fast_matte=True), obstruct)
    assert [p.name for p in tmp_path.iterdir()] == ["still.mp4"]


def test_a_folder_that_is_no_clip_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("keep me")
    with pytest.raises(TrackingError, match="is not a tracked clip"):
        track(tmp_path / "any.mp4", tmp_path)
    assert (tmp_path / "holiday.txt").read_text() == "keep me"
