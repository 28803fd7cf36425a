"""What the background gives away, what a user's network brings, and where shoulders are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.api.errors import TrackingError
from engine.api.head import HeadParams
from engine.api.settings import TrackSettings
from engine.heads.builtin import builtin_head
from engine.imaging import gaussian_blur
from engine.tracking.background import STEADY, Background, background, evidence, plate_frames
from engine.tracking.closed_form import closed_form_alpha
from engine.tracking.mattes import matted
from engine.tracking.matting import matting_problem, trimap
from engine.tracking.pose import VIEWMAT, project
from engine.tracking.shoulders import above_shoulders, cut_height

from .tiny_network import write_network

SIZE = 160
FACE = np.array([[55, 55], [95, 55], [95, 95], [55, 95]], float)


def disc(radius: float, x: float = 75, y: float = 75) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    return np.clip(0.5 + radius - np.hypot(columns - x, rows - y), 0, 1).astype(np.float32)


def strand() -> np.ndarray:
    """A hair [H, W] that leaves the head, encloses a gap with it, and comes back."""
    return np.clip(disc(24, 118, 95) - disc(21.5, 118, 95), 0, 1) * (disc(42) < 0.5)


def wall(seed: int = 0) -> np.ndarray:
    """A plain wall with light and shade [H, W, 3]."""
    rng = np.random.default_rng(seed)
    shade = gaussian_blur(rng.uniform(-60, 60, (SIZE, SIZE, 3)).astype(np.float32), 25)
    return 190 + 3 * shade


def filmed(alpha: np.ndarray, behind: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1.5, behind.shape)
    dark = np.array([60.0, 45, 40])
    image = alpha[..., None] * dark + (1 - alpha[..., None]) * behind + noise
    return image.clip(0, 255).round().astype(np.uint8)


def swallowed(alpha: np.ndarray) -> np.ndarray:
    """The person mask of a network that fills gaps and loses hairs."""
    return gaussian_blur(np.maximum(disc(42), 0.9 * disc(20, 112, 95)), 3)


def scene(shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, true alpha and poor mask of a head with a loose strand."""
    truth = np.maximum(disc(42), strand())
    return filmed(truth, wall(), int(10 * shift)), truth, swallowed(truth)


@pytest.fixture(scope="module")
def empty() -> Background:
    """The background of a clip in which the head moves to and fro."""
    images, masks = [], []
    for step in range(12):
        alpha = disc(42, 60 + 4 * step)
        images.append(filmed(alpha, wall(), step))
        masks.append(gaussian_blur(alpha, 3))
    return background(images, masks)


def test_the_background_is_what_is_seen_when_nobody_is_there(empty: Background) -> None:
    seen = np.ones((SIZE, SIZE), bool)
    seen[28:124, 55:70] = False  # somebody is always there
    assert np.abs(empty.color - wall())[seen & (empty.sigma < STEADY)].mean() < 2
    assert (empty.sigma[seen] < STEADY).mean() > 0.8


def test_a_gap_that_the_mask_has_closed_is_opened(empty: Background) -> None:
    image, truth, mask = scene(0.1)
    gap = (disc(17, 118, 95) > 0.5) & (truth < 0.01) & (mask > 0.5)
    assert gap.sum() > 200
    before = closed_form_alpha(image, trimap(mask, FACE))[gap].mean()
    after = closed_form_alpha(image, trimap(mask, FACE, evidence(image, mask, empty)))[gap].mean()
    assert before > 0.5
    assert after < 0.1


def test_a_strand_that_the_mask_has_lost_is_found(empty: Background) -> None:
    image, truth, mask = scene(0.2)
    hair = (strand() > 0.8) & (mask < 0.3)
    assert hair.sum() > 40
    assert closed_form_alpha(image, trimap(mask, FACE))[hair].mean() < 0.2
    problem = matting_problem(mask, FACE, evidence(image, mask, empty))
    assert closed_form_alpha(image, *problem)[hair].mean() > 0.8


def test_a_background_that_moves_says_nothing() -> None:
    rng = np.random.default_rng(0)
    streets = [
        gaussian_blur(rng.uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32), 3) * 3 - 255
        for _ in range(12)
    ]
    images = [filmed(disc(42), street, 0) for street in streets]
    masks = [gaussian_blur(disc(42), 3)] * 12
    found = evidence(images[0], masks[0], background(images, masks))
    assert (found.wall | found.other).mean() < 0.02
    plain = trimap(masks[0], FACE)
    assert (trimap(masks[0], FACE, found) != plain).mean() < 0.02


def test_a_shirt_of_the_walls_colour_is_not_cut_out(empty: Background) -> None:
    """Where person and wall look alike, what the mask says stands."""
    image, mask = wall().clip(0, 255).astype(np.uint8), gaussian_blur(disc(42), 3)
    found = evidence(image, mask, empty)
    inside = disc(34) > 0.5
    assert not found.wall[inside].any()


def test_the_plate_is_made_of_frames_all_over_the_clip() -> None:
    assert plate_frames(1).tolist() == [0]
    chosen = plate_frames(1000)
    assert chosen[0] == 0
    assert chosen[-1] == 999
    assert len(chosen) <= 40


def test_a_users_network_gives_the_matte_and_remembers(tmp_path: Path) -> None:
    path = write_network(tmp_path / "rvm.onnx")
    red = [disc(42), disc(42), disc(37)]
    images = np.zeros((3, SIZE, SIZE, 3), np.uint8)
    images[..., 0] = np.round(255 * np.stack(red))
    faces = np.tile(FACE, (3, 1, 1))
    alphas = list(matted(images, faces, TrackSettings(matting=str(path))))
    state = np.zeros((SIZE, SIZE))
    for image in (*[images[0]] * 4, *images[:2]):
        state = (image[..., 0] / 255 + state) / 2
    np.testing.assert_allclose(alphas[1], state, atol=1e-5)
    np.testing.assert_allclose(alphas[2], (images[2, ..., 0] / 255 + state) / 2, atol=1e-5)


def test_a_users_network_keeps_only_the_person_with_the_face(tmp_path: Path) -> None:
    path = write_network(tmp_path / "rvm.onnx")
    images = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    images[0, ..., 0] = np.round(255 * np.maximum(disc(30), disc(12, 140, 140)))
    (alpha,) = matted(images, FACE[None], TrackSettings(matting=str(path)))
    assert alpha[75, 75] > 0.9
    assert alpha[140, 140] == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no matting network at"), (b"", "no readable network"), (b"junk" * 99, "no readable")],
)
def test_what_is_no_network_is_told_in_one_line(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "rvm.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrackingError, match=words) as caught:
        list(matted(np.zeros((1, 8, 8, 3), np.uint8), FACE[None], TrackSettings(matting=str(path))))
    assert "\n" not in str(caught.value)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "other.onnx", matte="mask")
    with pytest.raises(TrackingError, match="no video matting network that we know"):
        list(matted(np.zeros((1, 8, 8, 3), np.uint8), FACE[None], TrackSettings(matting=str(path))))


def test_the_cut_runs_between_neck_and_shoulders_and_tilts_with_them() -> None:
    head, size = builtin_head(), 128
    K = np.array([[200.0, 0, 64], [0, 200, 64], [0, 0, 1]])
    params = HeadParams.neutral(len(head.expression_names))
    for tilt in (0.0, 0.4):
        params.rotation[:] = (0, 0, tilt)
        params.translation[:] = (0, 0.05, -0.8)
        kept = above_shoulders(head, params, K, size)
        regions = np.array(head.region_names)[head.face_regions]
        camera = head.pose(params) @ VIEWMAT[:3, :3].T
        shown = project(camera, K).astype(int).clip(0, size - 1)
        for region, low, high in (("lips", 0.99, 1), ("shoulders", 0, 0.6)):
            vertices = np.unique(head.faces[regions == region])
            assert low <= kept[shown[vertices, 1], shown[vertices, 0]].mean() <= high, region
    assert cut_height(head) < head.vertices[:, 1].mean()
