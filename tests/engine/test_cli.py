"""The command line on a small avatar: renders, information, JSON events, Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine.api.avatar_file import write_avatar
from engine.command_line import main
from engine.footage import open_footage
from engine.imaging import read_image
from engine.jobs.rendering import parse_background, parse_frames
from engine.video import encode
from tests.small_avatar import small_avatar

ROOT = Path(__file__).parents[2]


@pytest.fixture
def avatar(tmp_path: Path) -> Path:
    path = tmp_path / "anna.likeness"
    write_avatar(path, small_avatar())
    return path


def _rgba(path: Path) -> np.ndarray:
    image = read_image(path)
    assert image is not None
    assert image[1] is not None
    return np.dstack(image)


def test_transparent_frames_composite_to_those_on_a_background(
    avatar: Path, tmp_path: Path
) -> None:
    clear, white = tmp_path / "clear", tmp_path / "white"
    options = ["--performance", "--frames", "3:5"]
    assert main(["render", str(avatar), "-o", str(clear), *options]) == 0
    assert main(["render", str(avatar), "-o", str(white), *options, "--background", "white"]) == 0
    assert sorted(path.name for path in clear.iterdir()) == ["00003.png", "00004.png"]
    rgba = _rgba(clear / "00003.png").astype(float) / 255
    over_white = read_image(white / "00003.png")
    assert over_white is not None
    assert over_white[1] is None
    alpha = rgba[..., 3:]
    assert alpha.max() > 0.9
    assert alpha.min() == 0
    composite = rgba[..., :3] * alpha + (1 - alpha)
    # 8-bit rounding of the straight colour and of alpha, and alpha's floor of 1/255.
    np.testing.assert_allclose(composite, over_white[0] / 255, atol=3 / 255)


def test_a_performance_becomes_a_video_of_its_length(avatar: Path, tmp_path: Path) -> None:
    movie = tmp_path / "anna.mp4"
    assert main(["render", str(avatar), "-o", str(movie), "--performance", "--size", "96"]) == 0
    footage = open_footage(movie)
    assert footage.size == (96, 96)
    assert len(list(footage.frames())) == len(small_avatar().performance.times)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["anna.likeness", "anna.mp4"]


def test_a_webm_keeps_its_transparency(avatar: Path, tmp_path: Path) -> None:
    movie = tmp_path / "anna.webm"
    options = ["--performance", "--frames", ":4", "--background", "transparent"]
    assert main(["render", str(avatar), "-o", str(movie), *options]) == 0
    frames = list(open_footage(movie).frames())
    assert len(frames) == 4
    assert frames[0].alpha is not None
    assert frames[0].alpha[32, 32] > 200
    assert frames[0].alpha[0, 0] < 20


def test_the_orbit_moves_the_camera_and_returns(avatar: Path, tmp_path: Path) -> None:
    folder = tmp_path / "orbit"
    assert main(["render", str(avatar), "-o", str(folder), "--camera", "orbit"]) == 0
    first, quarter, half = (_rgba(folder / f"000{i:02d}.png").astype(float) for i in (0, 18, 36))
    assert np.abs(first - half).mean() < 0.01 * np.abs(first - quarter).mean()


def test_a_coarser_level_draws_fewer_gaussians(avatar: Path, tmp_path: Path) -> None:
    cover = []
    for level in ("0", "1"):
        folder = tmp_path / level
        assert main(["render", str(avatar), "-o", str(folder), "--level", level]) == 0
        cover.append(_rgba(folder / "00000.png")[..., 3].sum())
    assert cover[1] < cover[0]


def test_info_names_the_footage_and_the_counts(
    avatar: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(avatar)]) == 0
    words = capsys.readouterr().out
    assert "anna.mp4" in words
    assert "60, levels [60, 30]" in words


def test_json_prints_the_worker_s_events(
    avatar: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", str(avatar), "-o", str(tmp_path / "x"), "--json"]) == 0
    *progress, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert {event["event"] for event in progress} == {"progress"}
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions)
    assert (result["event"], result["frames"]) == ("result", 1)


def test_help_and_info_load_nothing_heavy(avatar: Path) -> None:
    code = (
        "import sys; from engine.command_line import main; main(['info', sys.argv[1]]);"
        "print([m for m in ('torch', 'cv2', 'numba', 'mediapipe', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(avatar)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data", reason="a face is needed: its portrait has one")
    footage, work = tmp_path / "long.mp4", tmp_path / "work"
    work.mkdir()
    # A face keeps the tracker busy for seconds; without one it might end before the signal does.
    portrait = data.astronaut()[:320, 60:380]
    encode(footage, (portrait for _ in range(600)), 320, 320, 25.0)
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", "track", footage, "-o", work / "clip", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    while b"finding the head" not in process.stdout.readline():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", range(10)),
        ("2:5", range(2, 5)),
        (":3", range(3)),
        ("8:", range(8, 10)),
        ("-2:", range(8, 10)),
    ],
)
def test_frame_ranges_read_as_slices(text: str, frames: range) -> None:
    assert parse_frames(text, 10) == frames


def test_backgrounds_are_names_or_hexadecimal() -> None:
    assert parse_background("#ff8000") == (1.0, 128 / 255, 0.0)
    assert parse_background("transparent") is None
