"""Claims about the 52 expressions of the built-in head and its expression code."""

from __future__ import annotations

import numpy as np
import pytest

from engine.api.head import HeadModel, HeadParams
from engine.heads import landmarks as lm
from engine.heads.builtin import REGIONS, builtin_head

ARKIT = 52


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return builtin_head()


def shift(head: HeadModel, name: str) -> np.ndarray:
    """Displacements [V, 3] of an expression in millimetres."""
    return head.expression_deltas[head.expression_names.index(name)] * 1000


def posed(head: HeadModel, **coefficients: float) -> np.ndarray:
    params = HeadParams.neutral(len(head.expression_names))
    for name, value in coefficients.items():
        params.expression[head.expression_names.index(name)] = value
    return head.pose(params)


def region(head: HeadModel, name: str) -> np.ndarray:
    return np.unique(head.faces[head.face_regions == REGIONS.index(name)])


def test_there_are_52_named_expressions_and_all_of_them_do_something(head):
    assert len(set(head.expression_names)) == ARKIT
    for name in head.expression_names:
        assert 0.8 < np.linalg.norm(shift(head, name), axis=1).max() < 45, name


def test_right_expressions_are_mirror_images_of_left_ones_and_the_rest_symmetric(head):
    for name in head.expression_names:
        other = {"Left": "Right", "Right": "Left"}
        twin = next((name.removesuffix(a) + b for a, b in other.items() if name.endswith(a)), name)
        image = shift(head, twin)[head.mirror_vertices] * (-1, 1, 1)
        np.testing.assert_allclose(image, shift(head, name), atol=1e-3, err_msg=name)


def test_left_means_the_subjects_left(head):
    for name in (
        "mouthSmileLeft",
        "eyeBlinkLeft",
        "browDownLeft",
        "browOuterUpLeft",
        "noseSneerLeft",
    ):
        strength = np.linalg.norm(shift(head, name), axis=1)
        assert head.vertices[np.argmax(strength), 0] > 0.005, name


def test_neighbours_move_alike_so_that_nothing_tears(head):
    edges = np.concatenate([head.faces[:, [0, 1]], head.faces[:, [1, 2]], head.faces[:, [2, 0]]])
    inside = np.isin(edges, region(head, "mouth")).any(1) | np.isin(
        edges, region(head, "lips")
    ).all(1)
    edges = edges[~inside & ~np.isin(edges, region(head, "eyelids")).any(1)]
    length = np.linalg.norm(np.diff(head.vertices[edges], axis=1)[:, 0], axis=1) * 1000
    for name in head.expression_names:
        jump = np.linalg.norm(np.diff(shift(head, name)[edges], axis=1)[:, 0], axis=1)
        assert (jump / np.maximum(length, 4)).max() < 2, name


def test_jaw_open_lowers_chin_and_lower_lip_along_an_arc_and_leaves_the_upper_lip(head):
    move = shift(head, "jawOpen")
    assert 25 < np.linalg.norm(move[lm.CHIN]) < 31
    assert move[lm.CHIN, 1] < -17
    assert move[lm.CHIN, 2] < -10  # the hinge is behind and above: the chin also goes back
    assert move[14, 1] < -22
    assert np.abs(move[[13, 0, 164, 1]]).max() < 0.3
    teeth = region(head, "teeth")
    upper = [v for v in teeth if np.abs(move[v]).max() < 1e-6]
    assert len(upper) == len(teeth) / 2
    lower = np.setdiff1d(teeth, upper)
    assert move[lower, 1].max() < -2


def test_mouth_close_closes_the_lips_of_an_open_jaw(head):
    v = posed(head, jawOpen=1.0, mouthClose=1.0)
    inner = np.array(lm.LIPS_INNER)
    gap = np.linalg.norm(v[inner[1:10]] - v[inner[:10:-1]], axis=1)
    assert gap.max() < 0.001
    assert v[lm.CHIN, 1] < head.vertices[lm.CHIN, 1] - 0.017


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_a_blink_closes_the_eye_and_no_lid_vertex_enters_the_ball_on_the_way(head, side):
    joint = head.joint_positions[3 if side == "Left" else 4]
    loop = lm.LIDS_LEFT if side == "Left" else lm.LIDS_RIGHT
    for amount in (0.25, 0.5, 0.75, 1.0):
        v = posed(head, **{f"eyeBlink{side}": amount})
        distance = np.linalg.norm(v[:468] - joint, axis=1)
        assert distance.min() > 0.01205, amount
    gap = v[list(loop[9:])][::-1, 1] - v[list(loop[1:8]), 1]
    np.testing.assert_allclose(gap, 0, atol=0.0006)


def test_gaze_expressions_move_lids_only(head):
    for name in head.expression_names:
        if name.startswith("eyeLook"):
            assert np.abs(shift(head, name)[region(head, "eyeballs")]).max() == 0
            assert np.abs(shift(head, name)[list(lm.LIPS_INNER)]).max() == 0
        if name.startswith(("eyeLookIn", "eyeLookOut")):
            assert np.linalg.norm(shift(head, name), axis=1).max() < 2


def test_corners_of_the_mouth_go_where_the_names_say(head):
    corner = {name: shift(head, f"mouth{name}Left")[291] for name in
              ("Smile", "Frown", "Stretch", "Dimple")}  # fmt: skip
    assert corner["Smile"][1] > 6 > -5 > corner["Frown"][1]
    assert corner["Smile"][0] > 5
    assert corner["Stretch"][0] > 5
    assert corner["Dimple"][2] < -2
    assert shift(head, "mouthPucker")[291, 0] < -6
    assert shift(head, "mouthPucker")[[0, 17], 2].min() > 5
    assert shift(head, "mouthLeft")[[0, 17], 0].min() > 5


def test_no_expression_moves_the_skull_the_ears_or_the_chest(head):
    still = np.concatenate([region(head, name) for name in ("ears", "shoulders")])
    assert np.abs(head.expression_deltas[:, still]).max() == 0
    behind = [v for v in region(head, "scalp") if v >= 468]
    assert np.abs(head.expression_deltas[:, behind]).max() == 0


def test_the_code_has_51_numbers_of_expressions_jaw_gaze_and_neck(head):
    assert len(head.code_names) == 51
    assert not any(name.startswith("eyeLook") for name in head.code_names)
    params = HeadParams.neutral(ARKIT)
    params.jaw[0] = np.deg2rad(9)
    params.eyes[0] = (0, np.deg2rad(15), 0)
    params.eyes[1] = (np.deg2rad(-30), 0, 0)
    params.rotation[:] = 0.4
    params.neck[2] = np.deg2rad(6)
    code = dict(zip(head.code_names, head.code(params), strict=True))
    assert code.pop("jawOpen") == pytest.approx(0.5)
    assert code.pop("eyeYawLeft") == pytest.approx(0.5)
    assert code.pop("eyePitchRight") == pytest.approx(-1)
    assert code.pop("neckRoll") == pytest.approx(0.2)
    assert all(value == 0 for value in code.values())  # no torso in it


def test_turning_the_jaw_joint_opens_the_mouth_as_the_shape_does(head):
    params = HeadParams.neutral(ARKIT)
    params.jaw[0] = np.deg2rad(18)
    joint = head.pose(params) - head.vertices
    shape = shift(head, "jawOpen") / 1000
    np.testing.assert_allclose(
        joint[[lm.CHIN, 14, 17, 13]], shape[[lm.CHIN, 14, 17, 13]], atol=5e-4
    )
