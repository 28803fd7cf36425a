"""The bend of a whole surface: follows neighbourhoods and takes along what lies in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.api.baked import Binding
from engine.api.head import HeadModel
from engine.binding import uniform_uv_binding
from engine.heads.builtin import builtin_head
from engine.methods.regression.shape_field import ShapeField

UP, FORWARD = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
STEPS = 150


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return builtin_head()


@pytest.fixture(scope="module")
def binding(head: HeadModel) -> Binding:
    return uniform_uv_binding(head, 112)


def bent(
    head: HeadModel, binding: Binding, wanted: np.ndarray, asking: np.ndarray
) -> tuple[ShapeField, np.ndarray]:
    """A field after Gaussians `asking` [N] pulled for `wanted` [N, 3] metres of the neutral head;
    and how far all Gaussians have moved there [N, 3]."""
    frame, _ = binding.frames(head.faces, head.vertices)
    target = torch.from_numpy(np.einsum("nji,nj->ni", frame, wanted).astype(np.float32))
    pull = torch.from_numpy(asking.astype(np.float32))[:, None] / asking.sum()
    field, moved = ShapeField(head, binding, np.ones(len(asking))), torch.zeros_like(target)
    for step in range(STEPS):
        moved += field.step(1e3 * pull * (moved - target), 0.05 ** (step / STEPS))
    return field, np.einsum("nij,nj->ni", frame, moved.numpy())


def inside(head: HeadModel, binding: Binding, *names: str) -> np.ndarray:
    """Which [N] Gaussians lie in these regions."""
    return np.isin(np.array(head.region_names)[head.face_regions[binding.face]], names)


def test_a_neighbourhood_moves_as_it_asks_and_what_is_far_stays(
    head: HeadModel, binding: Binding
) -> None:
    asking = inside(head, binding, "shoulders")
    _, moved = bent(head, binding, 0.006 * np.broadcast_to(UP, (len(asking), 3)), asking)
    assert moved[asking][:, 1].mean() == pytest.approx(0.006, abs=0.0015)
    assert np.abs(moved[inside(head, binding, "eyelids", "lips")]).max() < 0.002


def test_eyes_ears_and_teeth_go_along_with_the_face(head: HeadModel, binding: Binding) -> None:
    asking = inside(head, binding, "skin", "eyelids", "lips", "scalp")
    _, moved = bent(head, binding, 0.005 * np.broadcast_to(FORWARD, (len(asking), 3)), asking)
    skin = moved[inside(head, binding, "skin")][:, 2].mean()
    assert skin > 0.003
    for name in ("eyeballs", "teeth", "ears"):
        island = moved[inside(head, binding, name)][:, 2]
        assert island.mean() == pytest.approx(skin, abs=0.0015), name


def test_means_move_as_the_vertices_of_their_triangles_do(
    head: HeadModel, binding: Binding
) -> None:
    asking = inside(head, binding, "scalp")
    field, moved = bent(head, binding, 0.005 * np.broadcast_to(UP, (len(asking), 3)), asking)
    corners = field.moved[head.faces[binding.face]]
    expected = np.einsum("nk,nkc->nc", binding.barycentric, corners)
    np.testing.assert_allclose(moved, expected, atol=2e-6)
