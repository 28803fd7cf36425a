"""A tracked clip comes back as it was written, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.api.errors import HeadError, TrackingError
from engine.api.head import HeadParams
from engine.clip import Camera, TrackedClip, frame_path, is_clip, write_clip
from engine.heads.builtin import builtin_head
from engine.imaging import write_png
from engine.tracking.pose import VIEWMAT

SIZE, FRAMES = 16, 12


@pytest.fixture
def clip(tmp_path: Path) -> TrackedClip:
    head = builtin_head()
    rng = np.random.default_rng(0)
    params = HeadParams.neutral(len(head.expression_names), FRAMES)
    params.expression[:] = rng.uniform(size=params.expression.shape)
    params.eyes[:] = rng.normal(size=params.eyes.shape)
    K = np.array([[30.0, 0, 8], [0, 30, 7.5], [0, 0, 1]])
    written = TrackedClip(
        tmp_path,
        {"source": {"name": "a.mp4"}, "quality": {"warnings": ["short"]}},
        Camera(VIEWMAT, K, SIZE, SIZE),
        25.0,
        params,
        np.arange(FRAMES) / 25,
        np.ones(FRAMES, np.float32),
        rng.normal(size=(FRAMES, 478, 2)).astype(np.float32),
    )
    (tmp_path / "frames").mkdir()
    for index in range(FRAMES):
        image = np.full((SIZE, SIZE, 4), index, np.uint8)
        write_png(frame_path(tmp_path, index), image)
    write_clip(written, head)
    return written


def test_a_clip_reads_back_as_written(clip: TrackedClip) -> None:
    read = TrackedClip.load(clip.directory)
    assert is_clip(clip.directory)
    assert len(read) == FRAMES
    assert read.fps == 25
    np.testing.assert_array_equal(read.params.expression, clip.params.expression)
    np.testing.assert_array_equal(read.params.eyes, clip.params.eyes)
    np.testing.assert_array_equal(read.landmarks, clip.landmarks)
    np.testing.assert_array_equal(read.camera.K, clip.camera.K)
    assert read.info["quality"]["warnings"] == ["short"]
    np.testing.assert_array_equal(read.head.vertices, builtin_head().vertices)


def test_a_frame_has_its_image_matte_and_pose(clip: TrackedClip) -> None:
    frame = TrackedClip.load(clip.directory).frame(7)
    assert frame.image.shape == (SIZE, SIZE, 3)
    assert frame.alpha.shape == (SIZE, SIZE)
    assert (frame.image == 7).all()
    assert (frame.alpha == 7).all()
    np.testing.assert_array_equal(frame.params.expression, clip.params.expression[7])


def test_no_clip_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="no clip.json"):
        TrackedClip.load(tmp_path)


def test_a_clip_of_a_newer_version_is_refused(clip: TrackedClip) -> None:
    path = clip.directory / "clip.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    with pytest.raises(TrackingError, match="newer version"):
        TrackedClip.load(clip.directory)


@pytest.mark.parametrize("name", ["clip.json", "tracking.npz", "frames/00003.png", "head.npz"])
def test_a_file_cut_short_is_named(clip: TrackedClip, name: str) -> None:
    path = clip.directory / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises((TrackingError, HeadError), match=path.name.split(".")[0]):
        read_everything(clip.directory)


def read_everything(directory: Path) -> None:
    clip = TrackedClip.load(directory)
    clip.frame(3)
    assert clip.head.faces.size


def test_arrays_of_unequal_length_are_refused(clip: TrackedClip) -> None:
    path = clip.directory / "tracking.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "times": arrays["times"][:-1]})
    with pytest.raises(TrackingError, match="unequal length"):
        TrackedClip.load(clip.directory)
