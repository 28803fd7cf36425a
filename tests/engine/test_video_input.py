"""Footage as cameras really store it, encoded here with known colours, lines and shapes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.footage import open_footage
from engine.tone_mapping import hlg_nits, pq_nits, to_srgb
from engine.video import ffmpeg

PATCH, COLUMNS, ROWS = 32, 6, 4


def encode_raw(path: Path, frames: np.ndarray, pixels: str, fps: float, *options: str) -> None:
    """Frames [T, H, W, 3] through ffmpeg; `pixels` is the layout of the array, e.g. rgb48le."""
    height, width = frames.shape[1:3]
    command = [ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", pixels]
    command += ["-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-", *options, str(path)]
    subprocess.run(command, input=np.ascontiguousarray(frames).tobytes(), check=True, timeout=60)


def patches(colours: np.ndarray) -> np.ndarray:
    """An image of flat squares [H, W, 3] of colours [ROWS * COLUMNS, 3]."""
    grid = colours.reshape(ROWS, COLUMNS, 3)
    return grid.repeat(PATCH, 0).repeat(PATCH, 1)


def middles(image: np.ndarray) -> np.ndarray:
    """The colour [ROWS * COLUMNS, 3] in the middle of each square, 0..255."""
    return image[PATCH // 2 :: PATCH, PATCH // 2 :: PATCH].reshape(-1, 3).astype(float)


@pytest.fixture
def colours() -> np.ndarray:
    """Greys, skins and saturated colours [24, 3] in 0..1."""
    rng = np.random.default_rng(3)
    skins = np.array([[0.78, 0.58, 0.48], [0.55, 0.38, 0.30], [0.93, 0.76, 0.67]])
    greys = np.linspace(0.02, 0.98, 6)[:, None].repeat(3, 1)
    return np.concatenate([greys, skins, rng.uniform(0.05, 0.95, (15, 3))])


@pytest.mark.parametrize(
    ("matrix", "tag", "pixel_range"),
    [("bt709", "bt709", "tv"), ("smpte170m", "smpte170m", "tv"), ("bt709", "bt709", "pc")],
)
def test_matrix_and_range_are_taken_from_the_file(
    tmp_path: Path, colours: np.ndarray, matrix: str, tag: str, pixel_range: str
) -> None:
    frame = np.round(patches(colours) * 255).astype(np.uint8)
    wanted = f"scale=out_color_matrix={matrix}:out_range={pixel_range}:flags=accurate_rnd"
    encode_raw(
        tmp_path / "a.mp4", frame[None].repeat(3, 0), "rgb24", 25,
        "-vf", wanted, "-pix_fmt", "yuv444p", "-c:v", "libx264", "-crf", "4",
        "-colorspace", tag, "-color_primaries", tag, "-color_trc", tag, "-color_range", pixel_range,
    )  # fmt: skip
    seen = next(open_footage(tmp_path / "a.mp4").frames()).rgb
    assert np.abs(middles(seen) - middles(frame)).max() <= 3


@pytest.mark.parametrize(("scale", "matrix"), [(1, "smpte170m"), (6, "bt709")])
def test_untagged_footage_is_read_as_players_do_by_its_size(
    tmp_path: Path, colours: np.ndarray, scale: int, matrix: str
) -> None:
    frame = np.round(patches(colours) * 255).astype(np.uint8).repeat(scale, 0).repeat(scale, 1)
    encode_raw(
        tmp_path / "a.mkv", frame[None], "rgb24", 25, "-vf",
        f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv444p,"
        "setparams=colorspace=unknown:range=unknown",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "4",
    )  # fmt: skip
    seen = next(open_footage(tmp_path / "a.mkv").frames()).rgb
    assert np.abs(middles(seen[::scale, ::scale]) - middles(frame[::scale, ::scale])).max() <= 4


def test_transfer_curves_meet_the_standards_fixed_points() -> None:
    assert pq_nits(np.array([0.508078])) == pytest.approx(100, rel=1e-3)
    assert pq_nits(np.array([1.0])) == pytest.approx(10_000, rel=1e-6)
    assert hlg_nits(np.full(3, 0.75)) == pytest.approx(203, rel=5e-3)
    assert hlg_nits(np.ones(3)) == pytest.approx(1000, rel=1e-3)


def test_highlights_bend_and_skin_stays() -> None:
    ramp = to_srgb(np.linspace(0, 1, 400)[:, None].repeat(3, 1), "bt2020", "arib-std-b67")
    assert (np.diff(ramp, axis=0) >= -1e-9).all()
    assert ramp[-1] == pytest.approx(1, abs=1e-3)
    # Half of diffuse white is shown as half of it: 0.5 ** (1 / 2.4) in sRGB's own words.
    half = np.interp(203 / 2, hlg_nits(np.linspace(0, 1, 4000)[:, None].repeat(3, 1))[:, 0],
                     np.linspace(0, 1, 4000))  # fmt: skip
    assert to_srgb(np.full(3, half), "bt2020", "arib-std-b67") == pytest.approx(0.735, abs=5e-3)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_high_dynamic_range_of_phones_becomes_srgb(
    tmp_path: Path, colours: np.ndarray, transfer: str
) -> None:
    code = colours * (0.7 if transfer == "smpte2084" else 1.0)  # up to 900 nits
    frame = np.round(patches(code) * 65535).astype(np.uint16)
    encode_raw(
        tmp_path / "phone.mov", frame[None].repeat(3, 0), "rgb48le", 30,
        "-vf", "scale=out_color_matrix=bt2020:out_range=tv:flags=accurate_rnd,format=yuv444p10le,"
        f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc",
        "-c:v", "libx265", "-crf", "2", "-x265-params", "log-level=none",
    )  # fmt: skip
    seen = next(open_footage(tmp_path / "phone.mov").frames()).rgb
    error = np.abs(middles(seen) - 255 * to_srgb(code, "bt2020", transfer))
    assert np.median(error) <= 1.5
    assert np.percentile(error, 90) <= 5


def test_interlaced_lines_are_woven_into_whole_frames(tmp_path: Path) -> None:
    fields = np.full((24, 96, 128, 3), 40, np.uint8)
    for index, field in enumerate(fields):
        field[:, 4 * index : 4 * index + 24] = 220
    encode_raw(
        tmp_path / "tv.mkv", fields, "rgb24", 50, "-vf", "tinterlace=interleave_top",
        "-c:v", "libx264", "-crf", "8", "-flags", "+ildct+ilme", "-x264opts", "tff=1",
        "-pix_fmt", "yuv420p",
    )  # fmt: skip
    footage = open_footage(tmp_path / "tv.mkv")
    frames = [frame.rgb.astype(int) for frame in footage.frames()]
    assert len(frames) == 12
    assert footage.fps == 25

    def combing(image: np.ndarray) -> float:
        grey = image[..., 1]
        return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())

    woven = fields[11].copy()
    woven[1::2] = fields[12][1::2]
    assert combing(frames[5]) < 0.2 * combing(woven.astype(int))


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    frames = np.zeros((3, 96, 128, 3), np.uint8)
    frames[:, 24:72, 32:96] = 230
    encode_raw(tmp_path / "dv.mp4", frames, "rgb24", 25, "-vf", "setsar=3/4", "-pix_fmt", "yuv420p")
    footage = open_footage(tmp_path / "dv.mp4")
    assert footage.size == (128, 128)
    white = next(footage.frames()).rgb[..., 0] > 128
    assert abs(white.any(1).sum() - white.any(0).sum()) <= 2


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1))])
def test_a_portrait_photo_is_turned_as_its_tag_says(
    tmp_path: Path, orientation: int, corner: tuple[int, int]
) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[:20, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=95, exif=exif)
    footage = open_footage(tmp_path / "a.jpg")
    seen = next(footage.frames()).rgb
    assert footage.size == ((60, 80) if orientation == 6 else (80, 60))
    assert seen[-10 if corner[0] else 10, -10 if corner[1] else 10, 0] > 200
    assert (seen[..., 0] > 128).mean() == pytest.approx(400 / 4800, rel=0.1)
