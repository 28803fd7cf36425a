"""The quality report: footage spoiled on purpose is told so, clean footage is not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.api.head import HeadParams
from engine.footage import FootageFrame, open_footage
from engine.imaging import gaussian_blur, resize
from engine.tracking.crop import HeadCrop, find_head
from engine.tracking.findings import RULES, SEVERITIES
from engine.tracking.quality import Evidence, Filmed, quality_report, ranges
from engine.tracking.sharpness import sharpness
from engine.tracking.survey import Survey, blockiness
from engine.video import encode, ffmpeg

NAMES = (
    "jawOpen",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "browInnerUp",
    "browDownLeft",
    "mouthSmileLeft",
    "mouthPucker",
)
COUNT, SIDE = 24, 640
Spoil = Callable[[np.ndarray, int], np.ndarray]


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """The public-domain portrait of skimage.data, its face 250 pixels tall before a wide wall."""
    data = pytest.importorskip("skimage.data")
    picture = resize(np.ascontiguousarray(data.astronaut()[:300, 60:360]), SIDE, SIDE)
    soft = gaussian_blur(picture.astype(np.float32), 2.0)
    return np.clip(picture + 1.5 * (picture - soft), 0, 255).astype(np.uint8)


def film(portrait: np.ndarray, spoil: Spoil) -> list[FootageFrame]:
    """COUNT frames of the portrait with a camera's noise, each spoiled."""
    rng = np.random.default_rng(1)
    noisy = [portrait + rng.normal(0, 1.5, portrait.shape) for _ in range(COUNT)]
    return [
        FootageFrame(float(i), spoil(np.clip(image, 0, 255).astype(np.uint8), i), None)
        for i, image in enumerate(noisy)
    ]


def performed(frames: int, peak: float = 0.9, yaw: float = 25.0) -> HeadParams:
    """Someone who does all that is asked for, up to `peak` and to `yaw` degrees on both sides."""
    wave = np.sin(np.linspace(0, 4 * np.pi, frames))[:, None]
    params = HeadParams.neutral(len(NAMES), frames)
    params.expression[:] = peak * (0.5 + 0.5 * wave)
    params.neck[:] = np.radians(wave * [10, yaw, 5])
    params.eyes[:] = np.radians(wave[:, None] * [5, 10, 0])
    return params


def report(survey: Survey, sharp: np.ndarray, params: HeadParams, still: bool = False) -> dict:
    count = len(params)
    return quality_report(
        Evidence(
            shots=[Filmed(survey, 600, still)],
            errors=np.full((count, 20), 0.8),
            confidence=np.ones(count),
            params=params,
            expression_names=NAMES,
            sharpness=sharp,
            times=np.arange(count) / 2.0,
            size=512,
        )
    )


def found(portrait: np.ndarray, spoil: Spoil) -> set[str]:
    """Names of the findings in footage that is spoiled so; its shortness is not at issue."""
    frames = film(portrait, spoil)
    _, survey = find_head(iter(frames), COUNT, lambda share: None)
    whole = HeadCrop(0, 0, SIDE, SIDE, SIDE)
    images = np.stack([whole.image(frame.rgb, 512) for frame in frames])
    middle = np.nanmedian(survey.faces, axis=0) * 512 / SIDE
    sharp = sharpness(images, _outline(middle, COUNT))
    quality = report(survey, sharp, performed(COUNT))
    return {finding["name"] for finding in quality["findings"]} - {"short"}


def _outline(box: np.ndarray, count: int) -> np.ndarray:
    """Landmarks [count, 478, 3] on an ellipse in a face's box, forehead and chin where they are."""
    angle = np.linspace(0, 2 * np.pi, 478)
    centre, radius = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    points = np.zeros((478, 3))
    points[:, :2] = centre + radius * np.stack([np.sin(angle), -np.cos(angle)], -1)
    points[10, :2], points[152, :2] = centre - (0, radius[1]), centre + (0, radius[1])
    return np.broadcast_to(points, (count, 478, 3))


def clean(image: np.ndarray, index: int) -> np.ndarray:
    return image


def blurred(image: np.ndarray, index: int) -> np.ndarray:
    return gaussian_blur(image, 4.0) if index % 2 else image


def brightening(image: np.ndarray, index: int) -> np.ndarray:
    stops = index / COUNT - 1.0
    return np.clip(image * 2 ** (stops / 2.2), 0, 255).astype(np.uint8)


def yellowing(image: np.ndarray, index: int) -> np.ndarray:
    gain = np.array([1, 1, 1 - 0.3 * index / COUNT])
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def shaken(image: np.ndarray, index: int) -> np.ndarray:
    return np.roll(image, np.random.default_rng(index).integers(-5, 6, 2), (0, 1))


def leaving(image: np.ndarray, index: int) -> np.ndarray:
    return np.roll(image, -14 * max(index - 12, 0), 0)


def crowded(image: np.ndarray, index: int) -> np.ndarray:
    other = resize(np.ascontiguousarray(image[40:440, 60:460]), 170, 170)
    image = image.copy()
    image[-170:, -170:] = other
    return image


def edited(image: np.ndarray, index: int) -> np.ndarray:
    return image if index < 12 else np.clip(0.35 * image, 0, 255).astype(np.uint8)


def test_clean_footage_of_a_full_performance_lacks_nothing(portrait: np.ndarray) -> None:
    assert found(portrait, clean) == set()


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (blurred, "blur"),
        (brightening, "exposure"),
        (yellowing, "white_balance"),
        (shaken, "moving_camera"),
        (leaving, "leaves"),
        (crowded, "second_face"),
        (edited, "cuts"),
    ],
)
def test_spoiled_footage_is_told_so(portrait: np.ndarray, spoil: Spoil, name: str) -> None:
    assert name in found(portrait, spoil)


@pytest.mark.parametrize(
    ("params", "name", "words"),
    [
        (performed(300, peak=0.1), "mouth_closed", "the mouth never opens: teeth will be guessed"),
        (performed(300, peak=0.1), "eyes_open", "the eyes hardly ever close"),
        (performed(300, peak=0.1), "brows_still", "the brows never rise"),
        (performed(300, yaw=2.0), "still_head", "the head hardly turns"),
        (performed(300, yaw=8.0), "never_left", "never turns to its left"),
        (performed(120), "short", "the clip is short"),
    ],
)
def test_what_was_not_performed_is_named_in_plain_words(
    portrait: np.ndarray, params: HeadParams, name: str, words: str
) -> None:
    survey = survey_of(len(params))
    findings = report(survey, np.full(len(params), 0.3), params)["findings"]
    told = {finding["name"]: finding for finding in findings}
    assert words in told[name]["words"]
    assert told[name]["advice"].endswith(".")


def survey_of(frames: int, **changes: object) -> Survey:
    """Well filmed footage in 1080p."""
    values = {
        "frame_width": 1080, "frame_height": 1920,
        "faces": np.tile([300.0, 500, 700, 950], (frames, 1)),
        "light": np.full((frames, 3), 0.2), "burnt": np.zeros(frames),
        "second_face": np.zeros(frames // 6), "drift": np.zeros(frames // 6),
        "cuts": np.zeros(0, int), "blocks": np.ones(frames // 6),
    }  # fmt: skip
    return Survey(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"faces": np.tile([500.0, 900, 570, 990], (300, 1))}, "small_face"),
        ({"faces": np.tile([500.0, 900, 620, 1050], (300, 1))}, "small_face"),
        ({"faces": np.tile([100.0, 60, 220, 210], (300, 1)), "frame_width": 320,
          "frame_height": 240}, "low_resolution"),
        ({"blocks": np.full(50, 1.5)}, "blocks"),
        ({"burnt": np.full(300, 0.2)}, "burnt"),
        ({"light": np.full((300, 3), 0.01)}, "dark"),
    ],
)  # fmt: skip
def test_how_it_was_filmed_is_judged(changes: dict[str, np.ndarray], name: str) -> None:
    sharp = np.full(300, 0.3)
    assert report(survey_of(300), sharp, performed(300))["findings"] == []
    findings = report(survey_of(300, **changes), sharp, performed(300))["findings"]
    assert [finding["name"] for finding in findings] == [name]


def test_a_photograph_is_not_asked_to_move() -> None:
    survey = survey_of(1, second_face=np.zeros(1), drift=np.zeros(0), blocks=np.ones(1))
    quality = report(survey, np.array([0.3]), performed(1), still=True)
    assert quality["warnings"] == []


def test_heavy_compression_shows_in_the_blocks(portrait: np.ndarray, tmp_path: Path) -> None:
    assert blockiness(portrait) < 1.2
    path = tmp_path / "small.avi"
    rough = ["-c:v", "mpeg4", "-q:v", "20"]
    encode(tmp_path / "good.mp4", [portrait] * 3, SIDE, SIDE, 25.0)
    _again(tmp_path / "good.mp4", path, rough)
    assert blockiness(next(open_footage(path).frames()).rgb) > 1.3
    assert blockiness(next(open_footage(tmp_path / "good.mp4").frames()).rgb) < 1.2


def _again(source: Path, target: Path, options: list[str]) -> None:
    command = [ffmpeg(), "-loglevel", "error", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True, timeout=60)


def test_every_rule_says_what_to_do() -> None:
    assert {rule.severity for rule in RULES} == set(SEVERITIES)
    assert all(rule.advice.endswith(".") and not rule.words.endswith(".") for rule in RULES)


def test_runs_of_frames_are_told_by_their_ends() -> None:
    mask = np.array([1, 1, 0, 0, 1, 0, 1, 1, 1], bool)
    assert ranges(mask) == [[0, 1], [4, 4], [6, 8]]
    assert ranges(mask, most=1) == [[6, 8]]
