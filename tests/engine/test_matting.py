"""Mattes have soft true edges, follow one person, and are steady in time."""

from __future__ import annotations

import numpy as np
import pytest

from engine.imaging import gaussian_blur
from engine.tracking.closed_form import (
    WINDOW_EPSILON,
    closed_form_alpha,
    laplacian_rows,
    laplacian_system,
)
from engine.tracking.matting import (
    BAND,
    Problem,
    foreground,
    mattes,
    steady,
    trimap,
)

SIZE = 160


def disc(radius: float, centre: tuple[float, float] = (80, 80)) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    distance = np.hypot(x - centre[0], y - centre[1])
    return np.clip(0.5 - (distance - radius) / 5, 0, 1).astype(np.float32)


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A soft disc over smoothly varying colours: image, alpha, foreground."""
    rng = np.random.default_rng(1)
    ahead, behind = (
        gaussian_blur(rng.uniform(low, high, (SIZE, SIZE, 3)).astype(np.float32), 20)
        for low, high in (((120, 40, 30), (250, 90, 80)), ((10, 60, 120), (60, 160, 250)))
    )
    alpha = disc(50)
    image = ahead * alpha[..., None] + behind * (1 - alpha[..., None])
    return image.round().astype(np.uint8), alpha, ahead


def rough_trimap(alpha: np.ndarray) -> np.ndarray:
    face = np.array([[60, 60], [100, 60], [100, 100], [60, 100]], float)
    return trimap(gaussian_blur((alpha > 0.5).astype(np.float32), 4), face)


def test_closed_form_finds_the_soft_edge_that_the_mask_has_lost(scene: tuple) -> None:
    image, truth, _ = scene
    known = rough_trimap(truth)
    band = known == 0.5
    alpha = closed_form_alpha(image, known)
    assert band.sum() > 500
    hard = np.abs((truth > 0.5) - truth)[band].mean()
    assert np.abs(alpha - truth)[band].mean() < 0.4 * hard
    assert np.array_equal(alpha[~band], known[~band].astype(np.float32))


def test_closed_form_equals_pymatting_solved_over_the_whole_image(scene: tuple) -> None:
    from pymatting import estimate_alpha_cf

    image, truth, _ = scene
    known = rough_trimap(truth)
    whole = estimate_alpha_cf(image / 255.0, known, laplacian_kwargs={"epsilon": 1e-7})
    assert np.abs(closed_form_alpha(image, known) - whole).mean() < 2e-3


def test_the_laplacian_of_the_unknown_pixels_is_pymattings_up_to_the_images_edge() -> None:
    from pymatting import cf_laplacian

    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (12, 15, 3), np.uint8)
    known = rng.choice([0.0, 0.5, 1.0], (12, 15))
    known[0] = known[:, -1] = 0.5
    unknown, number = known == 0.5, np.full(known.shape, -1)
    number[unknown] = np.arange(unknown.sum())
    matrix, right = laplacian_system(laplacian_rows(image, number), number, known)
    whole = cf_laplacian(image / 255.0, WINDOW_EPSILON).toarray()[unknown.ravel()]
    np.testing.assert_allclose(matrix.toarray(), whole[:, unknown.ravel()], atol=1e-9)
    pulled = -whole[:, ~unknown.ravel()] @ known[~unknown]
    np.testing.assert_allclose(right, pulled, atol=1e-9)


def test_foreground_colour_keeps_no_background(scene: tuple) -> None:
    image, alpha, ahead = scene
    edge = (alpha > 0.15) & (alpha < 0.85)
    error = np.abs(foreground(image, alpha).astype(float) - ahead)[edge].mean()
    assert error < 0.15 * np.abs(image.astype(float) - ahead)[edge].mean()


def test_a_second_person_apart_from_the_face_is_left_out() -> None:
    mask = np.maximum(disc(30, (50, 80)), disc(20, (125, 80)))
    face = np.array([[40, 70], [60, 70], [60, 90], [40, 90]], float)
    known = trimap(mask, face)
    assert known[80, 50] == 1
    assert known[80, 125] == 0


def test_the_unknown_band_scales_with_the_image() -> None:
    mask = np.zeros((512, 512), np.float32)
    mask[:, :256] = 1
    face = np.array([[50, 200], [150, 200], [150, 300], [50, 300]], float)
    assert abs((trimap(mask, face)[256] == 0.5).sum() - 2 * BAND) <= 1


def test_steadying_halves_flicker_and_keeps_every_frame() -> None:
    rng = np.random.default_rng(0)
    flicker = [0.5 + rng.normal(0, 0.1, (20, 20)) for _ in range(30)]
    calm = list(steady(flicker))
    assert len(calm) == 30
    before, after = (np.abs(np.diff(a, axis=0)).mean() for a in (flicker, calm))
    assert after < 0.5 * before


def test_steadying_a_single_image_changes_nothing() -> None:
    alpha = np.linspace(0, 1, 25).reshape(5, 5)
    np.testing.assert_allclose(list(steady([alpha])), [alpha])


def test_mattes_come_in_order(scene: tuple) -> None:
    image, truth, _ = scene
    known = rough_trimap(truth)
    trimaps = [np.where(known == 0.5, level, known) for level in (0.0, 0.25, 0.75, 1.0)] + [known]
    several = list(mattes([image] * 5, map(Problem, trimaps)))
    for alpha, level in zip(several, (0.0, 0.25, 0.75, 1.0), strict=False):
        assert np.all(alpha[known == 0.5] == np.float32(level))


def test_a_moving_edge_leaves_no_ghost() -> None:
    moved = [disc(30, (50 + 8 * step, 80)) for step in range(3)]
    middle = list(steady(moved))[1]
    plain = 0.25 * moved[0] + 0.5 * moved[1] + 0.25 * moved[2]
    assert np.abs(middle - moved[1]).mean() < 0.15 * np.abs(plain - moved[1]).mean()
