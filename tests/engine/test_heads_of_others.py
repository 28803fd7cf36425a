"""Claims about heads read from other people's files: ICT-FaceKit, FLAME, GNM."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from engine.api.errors import HeadError
from engine.api.head import JOINTS, HeadModel, HeadParams
from engine.heads import landmarks as lm
from engine.heads.array_archive import read_arrays
from engine.heads.builtin import REGIONS, builtin_head
from engine.heads.builtin_shapes import EXPRESSIONS
from engine.heads.flame import flame_version, same_flame
from engine.heads.head_file import check_head
from engine.heads.pickle_reader import read_pickle
from engine.heads.pickled_arrays import array_from
from engine.heads.sources import read_any_head, source_of
from engine.mesh import uv_raster
from tests.engine import foreign_heads

ICT = Path(__file__).resolve().parents[3] / "shared" / "heads" / "ict_facekit.npz"
KINDS = ("ict", "flame", "gnm")


@pytest.fixture(scope="module", params=KINDS)
def head(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    folder = tmp_path_factory.mktemp("heads")
    if request.param == "ict":
        if not ICT.is_file():
            pytest.skip("ICT-FaceKit is not in ../shared/heads")
        return read_any_head(ICT)
    if request.param == "flame":
        return read_any_head(foreign_heads.write_flame(folder / "flame2020.pkl", chumpy=True))
    np.savez(folder / "gnm_head.npz", **foreign_heads.gnm_arrays())
    return read_any_head(folder / "gnm_head.npz")


def landmarks(head: HeadModel, vertices: np.ndarray) -> np.ndarray:
    corners = vertices[head.faces[head.landmark_faces]]
    return np.einsum("lk,lkc->lc", head.landmark_barycentrics, corners)


def used(head: HeadModel, region: str) -> np.ndarray:
    return np.unique(head.faces[head.face_regions == REGIONS.index(region)])


def test_it_has_our_sliders_joints_code_and_landmarks(head):
    check_head(head)
    assert head.expression_names == EXPRESSIONS
    assert head.code_names == builtin_head().code_names
    assert len(head.identity_names) >= 100
    assert (head.landmark_faces >= 0).all()
    assert head.licence


def test_every_expression_moves_something_and_sideways_ones_the_right_side(head):
    for name, delta in zip(head.expression_names, head.expression_deltas, strict=True):
        length = np.linalg.norm(delta, axis=1)
        assert 0.0005 < length.max() < 0.09, name
    for name in ("mouthSmileLeft", "eyeBlinkLeft", "browOuterUpLeft"):
        length = np.linalg.norm(head.expression_deltas[EXPRESSIONS.index(name)], axis=1)
        assert head.vertices[length.argmax(), 0] > 0.005, name


def test_its_expressions_move_our_landmarks_as_our_own_head_does(head):
    own = builtin_head()
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "mouthPucker", "eyeBlinkRight"):
        index = EXPRESSIONS.index(name)
        mine = landmarks(own, own.expression_deltas[index])[:468]
        theirs = landmarks(head, head.expression_deltas[index])[:468]
        cosine = (mine * theirs).sum() / np.linalg.norm(mine) / np.linalg.norm(theirs)
        assert cosine > 0.7, name


def test_landmarks_lie_on_lips_nose_lids_and_irises(head):
    places = landmarks(head, head.vertices)
    own = landmarks(builtin_head(), builtin_head().vertices)
    assert np.linalg.norm(places[:468] - own[:468], axis=1).mean() < 0.008
    assert np.abs(places[13] - places[14]).max() < 0.004  # the lips are shut
    for iris, loop in ((473, lm.LIDS_LEFT), (468, lm.LIDS_RIGHT)):
        rim = places[list(loop)]
        assert (rim.min(0)[:2] < places[iris, :2]).all()
        assert (places[iris, :2] < rim.max(0)[:2]).all()


def test_joints_are_where_they_belong_and_the_eyes_turn_about_their_centres(head):
    neck, jaw, left, right = head.joint_positions[1:]
    assert left[0] > 0.025 > -0.025 > right[0]
    assert neck[1] < jaw[1] + 0.02 < left[1] + 0.02
    params = HeadParams.neutral(len(EXPRESSIONS))
    params.eyes[:, 1] = 0.4
    moved = head.pose(params) - head.vertices
    ball = used(head, "eyeballs")
    mine = ball[head.skin_weights[ball, 3] > 0.9]
    away = np.linalg.norm(head.vertices[mine] - left, axis=1)
    turned = np.linalg.norm(head.vertices[mine] + moved[mine] - left, axis=1)
    np.testing.assert_allclose(turned, away, atol=1e-5)
    assert np.abs(moved[used(head, "scalp")]).max() < 1e-6


def test_the_jaw_joint_opens_the_mouth_and_leaves_the_skull(head):
    params = HeadParams.neutral(len(EXPRESSIONS))
    params.jaw[0] = 0.25
    moved = landmarks(head, head.pose(params) - head.vertices)
    assert moved[lm.CHIN, 1] < -0.006
    assert np.linalg.norm(moved[lm.TOP]) < 0.001
    w = head.skin_weights
    np.testing.assert_allclose(w.sum(1), 1, atol=1e-4)
    assert w[used(head, "shoulders"), JOINTS.index("root")].min() > 0.95


def test_its_atlas_has_no_overlap_and_gives_the_face_its_share(head):
    face, _ = uv_raster(head.face_uvs, 512)
    uvs = head.face_uvs.astype(np.float64)
    a, b = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    if head.name == "GNM Head v3":
        pytest.skip("the test's GNM file has a front view for UVs, which overlaps itself")
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    assert area.sum() == pytest.approx((face >= 0).mean(), abs=0.01)
    assert (face >= 0).mean() > 0.7


def test_every_region_of_the_outside_is_told(head):
    for region in ("skin", "lips", "eyelids", "scalp", "neck", "shoulders", "mouth", "eyeballs"):
        assert (head.face_regions == REGIONS.index(region)).sum() >= 20, region


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickles_of_every_protocol_give_the_arrays_that_went_in(tmp_path, protocol):
    rng = np.random.default_rng(protocol)
    arrays = {
        "floats": rng.normal(size=(7, 3)),
        "columns": np.asfortranarray(rng.normal(size=(4, 5)).astype(np.float32)),
        "indices": rng.integers(0, 99, (6, 3)).astype(np.uint32),
        "swapped": rng.normal(size=4).astype(">f8"),
        "sparse": rng.normal(size=(5, 9)) * (rng.random((5, 9)) > 0.7),
    }
    path = tmp_path / "arrays.pkl"
    path.write_bytes(pickle.dumps(arrays | {"sparse": csc_matrix(arrays["sparse"])}, protocol))
    content = read_pickle(path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array_from(content[name], name), array)


def test_an_npz_with_flames_keys_is_read_as_well(tmp_path):
    path = tmp_path / "FLAME2023_Open.npz"
    np.savez(path, **foreign_heads.flame_arrays())
    assert source_of(path) == "flame"
    np.testing.assert_array_equal(
        read_arrays(path, ["weights"])["weights"], foreign_heads.flame_arrays()["weights"]
    )


@pytest.mark.parametrize(
    ("name", "version"),
    [("generic_model.pkl", "2020"), ("flame2023.pkl", "2023"), ("flame2023_Open.pkl", "2023 Open")],
)
def test_flames_version_is_told_by_the_published_name(name, version):
    assert flame_version(name) == version


def test_flame_versions_are_never_mixed():
    with pytest.raises(HeadError, match="need FLAME 2020"):
        same_flame("FLAME 2023", "2020")
    with pytest.raises(HeadError, match="does not say which FLAME"):
        flame_version("model.pkl")
    same_flame("FLAME 2020", "2020")
