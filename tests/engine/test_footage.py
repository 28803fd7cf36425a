"""Footage of every kind is read upright, with its true times and its own matte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from engine.api.errors import FootageError
from engine.footage import open_footage
from engine.imaging import write_png
from engine.video import encode, ffmpeg

WIDTH, HEIGHT = 64, 48


def moving_square(count: int) -> list[np.ndarray]:
    frames = np.full((count, HEIGHT, WIDTH, 3), 60, np.uint8)
    for index, frame in enumerate(frames):
        frame[8:24, index : index + 16] = (220, 40, 30)
    return list(frames)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "square.mp4"
    encode(path, moving_square(40), WIDTH, HEIGHT, 20.0)
    return path


def run_ffmpeg(*arguments: str | Path) -> None:
    command = [ffmpeg(), "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


def test_a_video_gives_its_frames_colours_and_times(video: Path) -> None:
    footage = open_footage(video)
    frames = list(footage.frames())
    assert footage.size == (WIDTH, HEIGHT)
    assert footage.fps == 20
    assert len(frames) == 40
    np.testing.assert_allclose([f.time for f in frames], np.arange(40) / 20, atol=2e-3)
    assert np.abs(frames[5].rgb[16, 12].astype(int) - (220, 40, 30)).max() < 12
    assert np.abs(frames[5].rgb[40, 12].astype(int) - 60).max() < 6


def test_a_limit_reads_no_more_frames(video: Path) -> None:
    assert len(list(open_footage(video).frames(7))) == 7


def test_a_rotation_flag_turns_phone_footage_upright(video: Path, tmp_path: Path) -> None:
    turned = tmp_path / "phone.mp4"
    run_ffmpeg("-display_rotation", "90", "-i", video, "-c", "copy", turned)
    footage = open_footage(turned)
    frame = next(footage.frames())
    assert footage.size == (HEIGHT, WIDTH)
    assert frame.rgb.shape == (WIDTH, HEIGHT, 3)
    # The square near the top left is turned by a quarter to the bottom left.
    assert frame.rgb[56, 16, 0] > 180
    assert frame.rgb[8, 16, 0] < 90


def test_variable_frame_rate_keeps_each_frames_own_time(video: Path, tmp_path: Path) -> None:
    varied = tmp_path / "varied.mkv"
    run_ffmpeg("-i", video, "-vf", "select='not(mod(n,3))+lt(n,10)'", "-fps_mode", "vfr", varied)
    times = [frame.time for frame in open_footage(varied).frames()]
    kept = [n for n in range(40) if n % 3 == 0 or n < 10]
    np.testing.assert_allclose(times, np.array(kept) / 20, atol=2e-3)


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx-vp9"), ("a.mov", "prores_ks")])
def test_an_alpha_channel_is_the_matte(tmp_path: Path, name: str, codec: str) -> None:
    for index in range(12):
        rgba = np.full((HEIGHT, WIDTH, 4), 128, np.uint8)
        rgba[..., 3] = 0
        rgba[10:30, 10:40, 3] = 255
        write_png(tmp_path / f"in{index:02d}.png", rgba)
    pixels = "yuva420p" if codec.startswith("lib") else "yuva444p10le"
    options = ["-c:v", codec, "-pix_fmt", pixels]
    run_ffmpeg("-framerate", "25", "-i", tmp_path / "in%02d.png", *options, tmp_path / name)
    frames = list(open_footage(tmp_path / name).frames())
    assert len(frames) == 12
    assert frames[3].alpha is not None
    assert frames[3].alpha[20, 20] > 250
    assert frames[3].alpha[40, 50] < 5


def test_a_folder_is_read_in_natural_order_with_its_masks(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for index in range(12):
        write_png(images / f"f{index}.png", np.full((20, 30, 3), index, np.uint8))
        write_png(masks / f"m{index}.png", np.full((20, 30), 20 * index, np.uint8))
    frames = list(open_footage(images, masks).frames())
    assert [int(f.rgb[0, 0, 0]) for f in frames] == list(range(12))
    assert [int(f.alpha[0, 0]) for f in frames if f.alpha is not None] == list(range(0, 240, 20))


def test_one_image_is_footage_of_one_frame(tmp_path: Path) -> None:
    write_png(tmp_path / "one.png", np.full((20, 30, 3), 9, np.uint8))
    footage = open_footage(tmp_path / "one.png")
    assert footage.is_image
    assert len(list(footage.frames())) == 1


def test_a_text_file_named_mp4_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("this is not a video\n" * 50)
    with pytest.raises(FootageError, match=r"notes\.mp4 cannot be read as a video"):
        open_footage(path)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_truncated_video_is_refused(tmp_path: Path, share: float) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (80, HEIGHT, WIDTH, 3), np.uint8)
    encode(whole, noise, WIDTH, HEIGHT, 20.0)
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FootageError, match=r"cut\.mp4 (is cut short|cannot be read)"):
        list(open_footage(cut).frames())


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="does not exist"):
        open_footage(tmp_path / "absent.mp4")
    with pytest.raises(FootageError, match="has no images"):
        open_footage(tmp_path)
    write_png(tmp_path / "a.png", np.zeros((20, 30, 3), np.uint8))
    write_png(tmp_path / "b.png", np.zeros((20, 31, 3), np.uint8))
    with pytest.raises(FootageError, match=r"b\.png is 31x20"):
        list(open_footage(tmp_path).frames())


def test_too_few_masks_are_refused(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for index in range(3):
        write_png(images / f"{index}.png", np.zeros((20, 30, 3), np.uint8))
    write_png(masks / "0.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(FootageError, match="1 masks but more frames"):
        list(open_footage(images, masks).frames())
