"""A person's own expressions, learned from landmarks that are partly not to be trusted."""

from __future__ import annotations

import numpy as np

from engine.heads.builtin import builtin_head
from engine.tracking.flow import RIGID
from engine.tracking.landmark_model import LandmarkModel, landmark_model
from engine.tracking.personal import expression_corrections
from engine.tracking.pose import Observations
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


def corrected(model: LandmarkModel, seen: Observations) -> np.ndarray:
    """How far up the corrections move each landmark [M] when the brows are up."""
    expression = raised_brows()
    corrections = expression_corrections(model, nodding(FRAMES), expression, expression, seen)
    return corrections[BROW, :, 1]


def test_a_persons_own_way_of_raising_the_brows_is_learned() -> None:
    model = landmark_model(HEAD)
    brows = np.linalg.norm(model.expression[BROW], axis=-1) > 0.003
    found = corrected(model, seen_with(model, brows))
    assert np.median(found[brows]) > 0.65 * OWN
    assert np.abs(found[~brows]).max() < 0.1 * OWN


def test_landmarks_that_slide_over_rigid_skin_do_not_bend_it() -> None:
    model = landmark_model(HEAD)
    rigid = model.rigidity > RIGID
    assert rigid.sum() > 50
    assert np.abs(corrected(model, seen_with(model, rigid))).max() < 0.01 * OWN
