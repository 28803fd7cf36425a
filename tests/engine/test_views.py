"""Views of a tracked clip: what was filmed comes back, at any size; lessons are drawn from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.api.errors import FootageError
from engine.clip import Camera, TrackedClip, frame_path, write_clip
from engine.gaussians import Cameras
from engine.imaging import write_png
from engine.methods.feedforward.lessons import CODE_ERROR, MESH_ERROR, Lessons, imperfect, of_clip
from engine.methods.feedforward.views import Views, views_of
from engine.people.acting import act
from engine.people.person import make_person
from engine.people.studio import filmed, look_at

FRAMES, SIZE = 6, 48


@pytest.fixture(scope="module")
def film() -> tuple[TrackedClip, Views]:
    """A made-up person before one static camera, as a clip on disk (its folder is set later)."""
    person = make_person(1)
    params = act(np.random.default_rng(0), person.head.expression_names, FRAMES)
    viewmat = look_at(np.array([0.05, 0.02, 0.9]), np.zeros(3)).astype(np.float32)
    K = np.array([[2.2 * SIZE, 0, SIZE / 2], [0, 2.2 * SIZE, SIZE / 2 + 1], [0, 0, 1]], np.float32)
    cameras = Cameras(
        torch.from_numpy(viewmat).repeat(FRAMES, 1, 1),
        torch.from_numpy(K).repeat(FRAMES, 1, 1),
        SIZE,
        SIZE,
    )
    views = filmed(person, params, cameras)
    clip = TrackedClip(
        directory=Path(),
        info={},
        camera=Camera(viewmat, K, SIZE, SIZE),
        fps=25.0,
        params=params,
        times=np.arange(FRAMES) / 25,
        confidence=np.ones(FRAMES, np.float32),
        landmarks=np.full((FRAMES, 478, 2), np.nan, np.float32),
    )
    return clip, views


@pytest.fixture
def clip(film, tmp_path) -> TrackedClip:
    """The clip written and read again; its frames hold straight colours."""
    made, views = film
    (tmp_path / "frames").mkdir()
    for index, picture in enumerate(views.pictures.numpy()):
        straight = picture[..., :3] / np.maximum(picture[..., 3:], 1e-3)
        image = np.concatenate([np.clip(straight, 0, 1), picture[..., 3:]], -1)
        write_png(frame_path(tmp_path, index), (image * 255 + 0.5).astype(np.uint8))
    written = TrackedClip(**{**vars(made), "directory": tmp_path})
    write_clip(written, views.head)
    return TrackedClip.load(tmp_path)


def test_views_of_a_clip_are_what_was_filmed(film, clip):
    _, truth = film
    views = views_of(clip, [4, 1], SIZE)
    assert (views.pictures - truth.pictures[[4, 1]]).abs().max() < 3 / 255
    torch.testing.assert_close(views.vertices, truth.vertices[[4, 1]], atol=1e-5, rtol=0)
    torch.testing.assert_close(views.codes, truth.codes[[4, 1]], atol=1e-5, rtol=0)
    torch.testing.assert_close(views.cameras.Ks, truth.cameras.Ks[[4, 1]], atol=1e-4, rtol=0)


def test_smaller_views_see_the_same_rays(clip):
    whole, half = views_of(clip, [0], SIZE), views_of(clip, [0], SIZE // 2)
    corner = torch.tensor([float(SIZE), float(SIZE), 1.0])
    ray = torch.linalg.solve(whole.cameras.Ks[0], corner)
    same = half.cameras.Ks[0] @ ray
    torch.testing.assert_close(same[:2], corner[:2] / 2, atol=1e-3, rtol=0)
    assert half.pictures.shape == (1, SIZE // 2, SIZE // 2, 4)


def test_an_index_picks_views_and_their_cameras(clip):
    views = views_of(clip, range(FRAMES), SIZE)
    picked = views[[5, 2]]
    assert len(picked) == 2
    assert torch.equal(picked.pictures[1], views.pictures[2])
    assert len(picked.cameras.viewmats) == 2
    assert picked.head is views.head


def test_the_end_of_a_clip_is_measured_and_never_taught(film, clip):
    _, truth = film
    taught, _ = of_clip(clip, SIZE, check=False)()
    given, measured = of_clip(clip, SIZE, check=True)()
    torch.testing.assert_close(taught.codes, truth.codes[:4], atol=1e-5, rtol=0)
    torch.testing.assert_close(given.codes, truth.codes[:4], atol=1e-5, rtol=0)
    torch.testing.assert_close(measured.codes, truth.codes[4:], atol=1e-5, rtol=0)


def test_a_clip_of_one_frame_teaches_nothing(clip):
    still = TrackedClip(**{**vars(clip), "confidence": np.eye(FRAMES)[0]})
    with pytest.raises(FootageError, match="too few frames"):
        of_clip(still, SIZE, check=False)


def test_a_lesson_never_asks_more_than_there_is(clip):
    lessons = Lessons([of_clip(clip, SIZE, check=False)])
    torch.manual_seed(0)
    counts = {len(lessons.lesson(0)[0]) for _ in range(20)}
    assert counts == {1, 2, 3, 4}


def test_imperfect_views_are_as_wrong_as_tracking_is(film):
    _, views = film
    torch.manual_seed(0)
    worse = imperfect(views)
    shift = (worse.vertices - views.vertices).norm(dim=-1)
    assert shift.max() < 6 * MESH_ERROR
    assert shift.min() > 0
    assert (worse.codes - views.codes).std() == pytest.approx(CODE_ERROR, rel=0.3)
    outside = views.pictures[..., 3] == 0
    assert (worse.pictures[outside] == 0).all()
