"""Bad input through the real command line: one clear line, exit status 2, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut
from skimage.transform import resize

from engine.api.avatar_file import write_avatar
from engine.video import encode
from tests.small_avatar import small_avatar

ROOT = Path(__file__).parents[2]
SIDE = 320


def engine(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "engine", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit status 2, and one line for people that says what is wrong with what."""
    complaints = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2, done.stderr
    assert len(complaints) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for word in words:
        assert word.lower() in complaints[0].lower()


def film(path: Path, picture: np.ndarray, frames: int) -> Path:
    """A video of a still picture, seen through a window that drifts a little."""
    side = picture.shape[0] - frames // 2

    def views() -> Iterable[np.ndarray]:
        for index in range(frames):
            yield picture[index // 2 : index // 2 + side, : picture.shape[1]]

    encode(path, views(), picture.shape[1], side, 25.0)
    return path


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """The public-domain portrait of skimage.data, its face large."""
    shrunk = resize(astronaut()[:320, 60:380], (SIDE, SIDE), anti_aliasing=True)
    return (shrunk * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, face: np.ndarray) -> Path:
    """A folder of footage that cannot become an avatar."""
    folder = tmp_path_factory.mktemp("inputs")
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    film(folder / "noface.mp4", np.kron(noise, np.ones((8, 8, 1), np.uint8)), 12)
    film(folder / "twofaces.mp4", np.concatenate([face, face], axis=1), 12)
    film(folder / "short.mp4", face, 3)
    (folder / "text.mp4").write_text("This is not a video.\n" * 50)
    whole = film(folder / "whole.mp4", face, 40).read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("noface.mp4", ["face"]),
        ("twofaces.mp4", ["faces"]),
        ("short.mp4", ["3 frames"]),
        ("text.mp4", ["text.mp4"]),
        ("truncated.mp4", ["truncated.mp4"]),
        ("empty", ["empty"]),
        ("none.mp4", ["none.mp4"]),
    ],
)
@pytest.mark.parametrize("command", ["track", "fit"])
def test_footage_that_cannot_become_an_avatar(
    inputs: Path, tmp_path: Path, command: str, name: str, words: list[str]
) -> None:
    output = tmp_path / ("clip" if command == "track" else "anna.likeness")
    refused(engine(command, inputs / name, "-o", output), *words)
    assert list(tmp_path.iterdir()) == []


def test_footage_cut_in_its_stream_and_not_only_in_its_index(
    face: np.ndarray, tmp_path: Path
) -> None:
    whole = film(tmp_path / "whole.avi", np.random.default_rng(0).permuted(face, axis=0), 60)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    refused(engine("track", whole, "-o", tmp_path / "clip"))
    assert list(tmp_path.iterdir()) == [whole]


@pytest.fixture
def avatar(tmp_path: Path) -> Path:
    path = tmp_path / "anna.likeness"
    write_avatar(path, small_avatar())
    return path


def edited(path: Path) -> None:
    """Change one number of the header, as a person with an archive tool would."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["header.json"])
    header["counts"]["gaussians"] += 1
    members["header.json"] = json.dumps(header).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("command", ["render", "info"])
@pytest.mark.parametrize("damage", ["truncated", "edited", "text", "missing"])
def test_an_avatar_file_that_is_not_sound(
    avatar: Path, tmp_path: Path, command: str, damage: str
) -> None:
    if damage == "truncated":
        avatar.write_bytes(avatar.read_bytes()[:5000])
    elif damage == "edited":
        edited(avatar)
    elif damage == "text":
        avatar.write_text("Anna")
    else:
        avatar.unlink()
    output = tmp_path / "frames"
    extra = ["-o", output] if command == "render" else []
    refused(engine(command, avatar, *extra), "anna.likeness")
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--frames", "5:2"], ["5:2"]),
        (["--frames", "first"], ["first"]),
        (["--background", "mauve"], ["mauve", "#rrggbb"]),
        (["--level", "9"], ["level 9"]),
        (["--size", "1"], ["size of 1"]),
    ],
)
def test_render_options_that_make_no_sense(
    avatar: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    output = tmp_path / "frames"
    refused(engine("render", avatar, "-o", output, *options), *words)
    assert not output.exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [("a.gif", ["a.gif", ".mp4"]), ("none/frames", ["none"]), ("anna.likeness", ["anna"])],
)
def test_render_outputs_that_cannot_be_written(
    avatar: Path, tmp_path: Path, output: str, words: list[str]
) -> None:
    before = avatar.read_bytes()
    refused(engine("render", avatar, "-o", tmp_path / output), *words)
    assert avatar.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "avatar.zip"], [".likeness"]),
        (["-o", "none/anna.likeness"], ["folder"]),
        (["--size", "7"], ["size of 7"]),
        (["--device", "cuda"], ["CUDA"]),
        (["--masks", "nowhere"], ["nowhere"]),
    ],
)
def test_fit_options_are_refused_before_any_work(
    inputs: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    if options == ["--device", "cuda"]:
        import torch

        if torch.cuda.is_available():
            pytest.skip("this machine has a CUDA device")
    defaults = [] if "-o" in options else ["-o", tmp_path / "anna.likeness"]
    refused(engine("fit", inputs / "whole.mp4", *defaults, *options), *words)
    assert list(tmp_path.iterdir()) == []


def test_json_tells_the_problem_as_one_event(tmp_path: Path) -> None:
    done = engine("track", tmp_path / "none.mp4", "-o", tmp_path / "clip", "--json")
    assert done.returncode == 2
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "error"
    assert "none.mp4" in last["message"]
