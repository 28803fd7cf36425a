"""This person's own way of each expression: corrections of the expression basis at the landmarks.

A smile is not the same shape on everyone. Where a clip shows an expression often, the head's
generic shape bends towards what was seen; where it does not, it stays. Coefficients keep their
meaning. Skin that no expression moves is left alone: landmarks slide along on it when a brow or
the mouth moves beside it, by two pixels and more, and corners of the skin do not. That slide is
learned too, so that it pulls neither at poses nor at expressions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..api.head import HeadModel
from .flow import RIGID
from .in_order import in_order
from .landmark_model import LandmarkModel
from .pose import Observations, Poses, equations, robust
from .spread import spread_on_skin

# A correction of 2 mm costs as much as an error of 16 px in one frame: many frames must agree.
# Held-out landmarks of the last fifth of two clips: 0.80 -> 0.50 and 1.77 -> 1.18 px.
RIDGE = (12.0 / 0.002) ** 2
# An eye opened less than this share of its usual opening is shut; so many frames must show it.
SHUT, SHUT_FRAMES = 0.35, 4


def personal_expressions(
    head: HeadModel,
    model: LandmarkModel,
    poses: Poses,
    expression: np.ndarray,
    seen: Observations,
    fixed: np.ndarray,
) -> tuple[HeadModel, np.ndarray]:
    """The head with its expressions corrected to what T frames show, and the slide [E, M, 3] of
    its landmarks.

    `fixed` [E] expressions stay: they follow the gaze, and would soak up its blinks.
    """
    corrections = expression_corrections(model, poses, expression * ~fixed, expression, seen)
    stays = (model.rigidity > RIGID)[:, None]
    moved = spread_on_skin(head, model.index, np.where(stays, 0, corrections))
    deltas = (head.expression_deltas + moved).astype(np.float32)
    return replace(head, expression_deltas=deltas), model.slide + np.where(stays, corrections, 0)


def calibrate_blinks(
    head: HeadModel, slide: np.ndarray, expression: np.ndarray, opened: np.ndarray
) -> tuple[HeadModel, np.ndarray, np.ndarray]:
    """The head with eyeBlink scaled so that 1 shuts this person's eyes, wide or narrow.

    `slide` [E, M, 3] and `expression` [T, E] as solved with the head, returned for the new one;
    `opened` [T, 2] shares of the usual opening. The lids stay where they were.
    """
    deltas, slide, expression = head.expression_deltas.copy(), slide.copy(), expression.copy()
    for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        if name not in head.expression_names:
            continue
        shut = opened[:, side] < SHUT
        if shut.sum() >= SHUT_FRAMES:
            blink = head.expression_names.index(name)
            level = np.clip(np.percentile(expression[shut, blink], 80), 0.4, 1.0)
            deltas[blink] *= level
            slide[blink] *= level
            expression[:, blink] = np.minimum(expression[:, blink] / level, 1)
    return replace(head, expression_deltas=deltas), slide, expression


def expression_corrections(
    model: LandmarkModel,
    poses: Poses,
    active: np.ndarray,
    expression: np.ndarray,
    seen: Observations,
) -> np.ndarray:
    """Corrections [E, M, 3] in metres of the model's expression basis, ridge least squares.

    `expression` [T, E] and `poses` are held; of them `active` [T, E] may be corrected. T frames
    spread over the clip are enough.
    """
    points = poses.apply(model.shaped(expression))
    rows, right = equations(points, seen)
    residual = right - np.einsum("tmij,tmj->tmi", rows, points)
    weights = seen.weights * robust(residual, 8.0)
    turned = rows @ poses.rotation[:, None]
    metric = np.einsum("tm,tmki,tmkj->tmij", weights, turned, turned, optimize=True)
    pull = np.einsum("tm,tmki,tmk->tmi", weights, turned, residual, optimize=True)
    result = np.zeros((active.shape[1], len(model.neutral), 3))
    used = np.nonzero(active.max(0) > 0.02)[0]
    size, active = len(used), active[:, used]
    pairs = (active[:, :, None] * active[:, None]).reshape(len(active), -1)

    def correct(m: int) -> np.ndarray:
        # Normal equations over (expression, axis): sum_t (c c') x (J'J).
        normal = (pairs.T @ metric[:, m].reshape(-1, 9)).reshape(size, size, 3, 3)
        normal = normal.transpose(0, 2, 1, 3).reshape(3 * size, 3 * size)
        target = (active.T @ pull[:, m]).ravel()
        return np.linalg.solve(normal + RIDGE * np.eye(3 * size), target).reshape(size, 3)

    result[used] = np.stack(list(in_order(correct, range(len(model.neutral)))), 1)
    return result
