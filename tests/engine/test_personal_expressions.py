"""A person's own expressions, learned from landmarks that are partly not to be trusted."""

from __future__ import annotations

import numpy as np

from engine.heads.builtin import builtin_head
from engine.tracking.flow import RIGID, carried_poses
from engine.tracking.landmark_model import LandmarkModel, landmark_model
from engine.tracking.personal import expression_corrections, personal_expressions
from engine.tracking.pose import Observations
from engine.tracking.tracks import Tracks
from tests.engine.nodding_head import nodding, observe

FRAMES, OWN = 160, 0.004
HEAD = builtin_head()
BROW = HEAD.expression_names.index("browInnerUp")


def raised_brows() -> np.ndarray:
    """Coefficients [T, E] of brows that go up and down."""
    expression = np.zeros((FRAMES, len(HEAD.expression_names)))
    expression[:, BROW] = np.linspace(0, 1, FRAMES) % 0.5 * 2
    return expression


def seen_with(model: LandmarkModel, moved: np.ndarray) -> Observations:
    """Landmarks of this person, whose brows also move the landmarks marked in `moved` [M] up."""
    expression = raised_brows()
    shaped = model.shaped(expression)
    shaped[..., 1] += OWN * expression[:, BROW, None] * moved
    return observe(nodding(FRAMES).apply(shaped))


def learned(model: LandmarkModel, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far up raised brows were found to take each landmark's skin [M], and the landmark over
    its skin [M]."""
    fixed, expression = np.zeros(len(HEAD.expression_names), bool), raised_brows()
    head, slide = personal_expressions(
        HEAD, model, nodding(FRAMES), expression, seen_with(model, moved), fixed
    )
    found = landmark_model(head, slide)
    skin = found.expression - found.slide
    return (skin - model.expression)[BROW, :, 1], slide[BROW, :, 1]


def test_a_persons_own_way_of_raising_the_brows_is_learned() -> None:
    model = landmark_model(HEAD)
    brows = np.linalg.norm(model.expression[BROW], axis=-1) > 0.003
    skin, slide = learned(model, brows)
    assert np.median(skin[brows]) > 0.65 * OWN
    assert np.abs(slide).max() < 0.1 * OWN


def test_other_landmarks_are_not_corrected() -> None:
    model, expression = landmark_model(HEAD), raised_brows()
    brows = np.linalg.norm(model.expression[BROW], axis=-1) > 0.003
    seen = seen_with(model, brows)
    found = expression_corrections(model, nodding(FRAMES), expression, expression, seen)[BROW, :, 1]
    assert np.median(found[brows]) > 0.65 * OWN
    assert np.abs(found[~brows]).max() < 0.1 * OWN


def test_landmarks_that_slide_over_rigid_skin_do_not_bend_it() -> None:
    model = landmark_model(HEAD)
    rigid = model.rigidity > RIGID
    assert rigid.sum() > 50
    skin, slide = learned(model, rigid)
    assert np.abs(skin).max() < 0.01 * OWN
    assert np.median(slide[rigid]) > 0.65 * OWN


def test_a_slide_that_is_known_does_not_lift_the_head() -> None:
    model, truth, expression = landmark_model(HEAD), nodding(FRAMES), raised_brows()
    rigid = model.rigidity > RIGID
    slide = np.zeros_like(model.expression)
    slide[BROW, rigid, 1] = OWN
    seen, lifted = seen_with(model, rigid), []
    for known in (slide, None):
        sliding = landmark_model(HEAD, known)
        poses = carried_poses(Tracks.none(), sliding, truth, expression, seen)
        lifted.append(np.abs(poses.translation - truth.translation)[:, 1].max())
    assert lifted[1] > 0.25 * OWN
    assert lifted[0] < 0.02 * OWN
