"""Footage that no avatar can be made of: one clear line and a hint each, nothing left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.api.errors import FootageError, LikenessError, TrackingError
from engine.api.settings import TrackSettings
from engine.clip import TrackedClip
from engine.imaging import resize, write_png
from engine.tracking import track
from engine.video import encode, ffmpeg

FAST = TrackSettings(size=128, fast_matte=True)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """The public-domain portrait of skimage.data, 320 pixels."""
    data = pytest.importorskip("skimage.data")
    return resize(np.ascontiguousarray(data.astronaut()[:320, 60:380]), 320, 320)


def video(path: Path, picture: np.ndarray, frames: int = 12) -> Path:
    encode(path, [picture] * frames, picture.shape[1], picture.shape[0], 25.0)
    return path


def nothing_in_it(folder: Path, portrait: np.ndarray) -> Path:
    (folder / "none.mp4").write_bytes(b"")
    return folder / "none.mp4"


def text(folder: Path, portrait: np.ndarray) -> Path:
    (folder / "letter.mov").write_text("Dear Anna,\n" * 99)
    return folder / "letter.mov"


def zeros(folder: Path, portrait: np.ndarray) -> Path:
    (folder / "zeros.mp4").write_bytes(bytes(100_000))
    return folder / "zeros.mp4"


def sound_only(folder: Path, portrait: np.ndarray) -> Path:
    path = folder / "song.mp4"
    command = [ffmpeg(), "-loglevel", "error", "-f", "lavfi", "-i", "sine=duration=1", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def phone_photo(folder: Path, portrait: np.ndarray) -> Path:
    (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    return folder / "photo.heic"


def broken_image(folder: Path, portrait: np.ndarray) -> Path:
    images = folder / "images"
    images.mkdir()
    for index in range(12):
        write_png(images / f"{index}.png", portrait)
    (images / "7.png").write_bytes((images / "7.png").read_bytes()[:900])
    return images


def one_frame_video(folder: Path, portrait: np.ndarray) -> Path:
    return video(folder / "one.mp4", portrait, 1)


def absurdly_wide(folder: Path, portrait: np.ndarray) -> Path:
    write_png(folder / "wide.png", np.zeros((32, 9000, 3), np.uint8))
    return folder / "wide.png"


def a_few_pixels(folder: Path, portrait: np.ndarray) -> Path:
    write_png(folder / "dot.png", np.zeros((4, 4, 3), np.uint8))
    return folder / "dot.png"


def no_face(folder: Path, portrait: np.ndarray) -> Path:
    return video(folder / "wall.mp4", np.full((240, 320, 3), 128, np.uint8))


def upside_down(folder: Path, portrait: np.ndarray) -> Path:
    write_png(folder / "flip.png", np.ascontiguousarray(portrait[:40]))
    return folder / "flip.png"


def two_faces(folder: Path, portrait: np.ndarray) -> Path:
    both = np.concatenate([portrait, portrait[:, ::-1]], axis=1)
    return video(folder / "couple.mp4", both)


Maker = Callable[[Path, np.ndarray], Path]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (nothing_in_it, "none.mp4 is empty"),
        (text, "letter.mov cannot be read as a video"),
        (zeros, "zeros.mp4 cannot be read as a video"),
        (sound_only, "song.mp4 holds sound but no pictures"),
        (phone_photo, "photo.heic is of a kind"),
        (broken_image, "7.png is not a readable image"),
        (one_frame_video, "one.mp4 has only 1 frame"),
        (absurdly_wide, "wide.png is 9000x32"),
        (a_few_pixels, "dot.png is 4x4"),
        (no_face, "No face was found in 12 of 12"),
        (upside_down, "No face was found in 1 of 1"),
        (two_faces, "Two faces"),
    ],
)
def test_one_line_says_what_is_wrong(
    tmp_path: Path, portrait: np.ndarray, make: Maker, words: str
) -> None:
    source = make(tmp_path, portrait)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises((FootageError, TrackingError)) as caught:
        track(source, tmp_path / "clip", FAST)
    assert words in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("count", "size", "words"), [(5, 320, "5 masks but more frames"), (12, 100, "is 100x100")]
)
def test_masks_that_do_not_fit(
    tmp_path: Path, portrait: np.ndarray, count: int, size: int, words: str
) -> None:
    source, masks = video(tmp_path / "a.mp4", portrait), tmp_path / "masks"
    masks.mkdir()
    for index in range(count):
        write_png(masks / f"{index}.png", np.full((size, size), 255, np.uint8))
    with pytest.raises(FootageError, match=words):
        track(source, tmp_path / "clip", TrackSettings(size=128, masks=str(masks)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "masks"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path, portrait: np.ndarray) -> None:
    source = video(tmp_path / "a.mp4", portrait)
    source.chmod(0)
    with pytest.raises(FootageError, match="cannot be opened: Permission denied"):
        track(source, tmp_path / "clip", FAST)


def test_a_file_damaged_in_the_middle_gives_what_is_left_of_it(
    tmp_path: Path, portrait: np.ndarray
) -> None:
    noisy = [np.roll(portrait, index, 1) for index in range(30)]
    encode(tmp_path / "a.mkv", noisy, 320, 320, 25.0)
    data = bytearray((tmp_path / "a.mkv").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "a.mkv").write_bytes(data)
    clip = track(tmp_path / "a.mkv", tmp_path / "clip", FAST)
    assert 15 <= len(TrackedClip.load(clip.directory)) <= 30


def test_several_photographs_of_one_person_become_one_clip(
    tmp_path: Path, portrait: np.ndarray
) -> None:
    write_png(tmp_path / "a.png", portrait)
    write_png(tmp_path / "b.png", np.ascontiguousarray(portrait[:, :280]))
    clip = track([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "clip", FAST)
    assert [len(take) for take in clip.takes] == [1, 1]
    assert [file["name"] for file in clip.info["source"]["files"]] == ["a.png", "b.png"]
    assert clip.info["quality"]["reprojection_px_at_512"] < 3
    # The same face in the same place before the same lens: one pose, whatever the crop.
    assert np.degrees(np.ptp(clip.params.neck + clip.params.rotation, axis=0)).max() < 6


def test_a_tracked_clip_and_a_video_are_not_joined(tmp_path: Path, portrait: np.ndarray) -> None:
    from engine.jobs import run_job

    write_png(tmp_path / "a.png", portrait)
    clip = track(tmp_path / "a.png", tmp_path / "clip", FAST)
    values = {
        "source": str(clip.directory),
        "more_sources": [str(tmp_path / "a.png")],
        "output": str(tmp_path / "a.likeness"),
    }
    with pytest.raises(LikenessError, match="cannot be joined"):
        run_job("reconstruct", values, lambda event: None)
