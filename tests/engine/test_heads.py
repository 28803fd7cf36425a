"""Claims about the built-in head's neutral shape, atlas, landmarks, joints and identity."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from engine.api.head import JOINTS, HeadModel
from engine.heads import landmarks as lm
from engine.heads.builtin import REGIONS, builtin_head
from engine.heads.head_file import check_head
from engine.mesh import uv_raster


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return builtin_head()


def landmarks(head: HeadModel, vertices: np.ndarray) -> np.ndarray:
    corners = vertices[head.faces[head.landmark_faces]]
    return np.einsum("lk,lkc->lc", head.landmark_barycentrics, corners)


def used(head: HeadModel, region: str) -> np.ndarray:
    """Vertices of the region's triangles."""
    return np.unique(head.faces[head.face_regions == REGIONS.index(region)])


def test_it_is_a_consistent_head_of_moderate_size(head):
    check_head(head)
    assert 3000 <= len(head.faces) <= 6000
    assert set(head.face_regions) == set(range(len(REGIONS)))
    assert sorted(np.unique(head.faces)) == list(range(len(head.vertices)))


def test_building_it_twice_gives_the_same_numbers(head):
    again = builtin_head.__wrapped__()
    for name in ("vertices", "faces", "face_uvs", "expression_deltas", "skin_weights"):
        np.testing.assert_array_equal(getattr(head, name), getattr(again, name))


def test_its_size_is_that_of_an_adult_head(head):
    # Adult means in metres: bizygomatic breadth about 0.14, menton to vertex about 0.22,
    # head length about 0.19, distance between the pupils about 0.063.
    v = head.vertices
    assert 0.135 < np.linalg.norm(v[lm.EAR_LEFT] - v[lm.EAR_RIGHT]) < 0.155
    scalp = v[used(head, "scalp")]
    assert 0.20 < scalp[:, 1].max() - v[lm.CHIN, 1] < 0.25
    assert 0.17 < v[lm.TOP, 2] - scalp[:, 2].min() < 0.21
    eyes = head.joint_positions[[JOINTS.index("eye_left"), JOINTS.index("eye_right")]]
    assert 0.058 < np.linalg.norm(eyes[0] - eyes[1]) < 0.068
    assert eyes[0, 0] > 0  # x points to the subject's left
    np.testing.assert_allclose((v[lm.EAR_LEFT] + v[lm.EAR_RIGHT]) / 2, 0, atol=1e-6)


def test_the_shoulders_are_wide_and_low_enough_for_a_head_crop(head):
    shoulders = head.vertices[used(head, "shoulders")]
    assert np.ptp(shoulders[:, 0]) > 0.4
    assert shoulders[:, 1].min() < head.vertices[lm.CHIN, 1] - 0.2


def test_mirroring_the_head_gives_the_same_head(head):
    mirror = head.mirror_vertices
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    np.testing.assert_allclose(head.vertices[mirror] * (-1, 1, 1), head.vertices, atol=1e-7)
    assert mirror[lm.EAR_LEFT] == lm.EAR_RIGHT
    flipped = {tuple(sorted(face)) for face in mirror[head.faces]}
    same = [tuple(sorted(face)) in flipped for face in head.faces]
    assert np.mean(same) > 0.9  # the landmarks' tessellation itself has a few unmirrored diagonals


def test_no_edge_belongs_to_more_than_two_triangles_and_both_run_it_opposite_ways(head):
    directed = Counter(
        (int(face[a]), int(face[b])) for face in head.faces for a, b in ((0, 1), (1, 2), (2, 0))
    )
    assert max(directed.values()) == 1


def test_the_only_openings_are_the_shoulders_and_those_of_loose_parts(head):
    directed = {(int(f[a]), int(f[b])) for f in head.faces for a, b in ((0, 1), (1, 2), (2, 0))}
    border = {a for a, b in directed if (b, a) not in directed}
    skin = set(used(head, "skin")) | set(used(head, "lips")) | set(used(head, "mouth"))
    assert not border & skin  # eyes are closed by the lids' rims, the mouth by its cavity
    rims = border & set(used(head, "eyelids"))
    assert len(rims) == 32
    distance = [
        min(np.linalg.norm(head.vertices[v] - head.joint_positions[j]) for j in (3, 4))
        for v in rims
    ]
    np.testing.assert_allclose(distance, 0.0121, atol=2e-4)  # they end on the eyeballs


def test_triangles_face_outwards(head):
    corners = head.vertices[head.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle = corners.mean(1)
    for region, centre in (("scalp", (0, 0.03, -0.02)), ("neck", (0, -0.1, -0.03))):
        chosen = head.face_regions == REGIONS.index(region)
        outwards = ((middle - centre) * normals).sum(-1)[chosen]
        assert (outwards > 0).mean() > 0.97
    for joint in (3, 4):
        away = middle - head.joint_positions[joint]
        ball = (head.face_regions == REGIONS.index("eyeballs")) & (
            np.linalg.norm(away, axis=1) < 0.0125
        )
        assert ((away * normals).sum(-1)[ball] > 0).all()
    nose = int(np.argmin(np.linalg.norm(middle - head.vertices[4], axis=1)))
    assert normals[nose, 2] > 0


def test_atlas_islands_do_not_overlap_and_use_most_of_the_atlas(head):
    size = 512
    face, _ = uv_raster(head.face_uvs, size)
    uvs = head.face_uvs.astype(np.float64)
    a, b = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    assert (area > 0).all()  # none folded over, none without area
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    # Overlapping triangles would have more area than the texels they cover together.
    assert area.sum() / 2 == pytest.approx((face >= 0).mean(), abs=0.004)
    assert (face >= 0).mean() > 0.9
    assert set(head.face_regions[np.unique(face[face >= 0])]) == set(range(len(REGIONS)))


def test_lips_lids_and_eyes_get_more_texels_per_area_than_cheeks_and_cheeks_than_the_back(head):
    corners = head.vertices[head.faces].astype(np.float64)
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    uvs = head.face_uvs.astype(np.float64)
    a, b = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    texels = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])

    def density(region: str) -> float:
        chosen = head.face_regions == REGIONS.index(region)
        return float(texels[chosen].sum() / area[chosen].sum())

    for region in ("lips", "eyelids", "eyeballs", "teeth"):
        assert density(region) > 1.2 * density("skin"), region
    for region in ("scalp", "neck", "shoulders", "mouth"):
        assert density(region) < density("skin"), region


def test_the_478_landmarks_lie_on_their_features(head):
    places = landmarks(head, head.vertices)
    np.testing.assert_allclose(places[:468], head.vertices[:468], atol=1e-7)
    assert places[1, 2] > places[:468, 2].mean() + 0.03  # nose tip in front
    # 468 is the iris on the image's left: the subject's right; rims: right, up, left, down.
    for centre, side in ((468, -1), (473, 1)):
        assert np.sign(places[centre, 0]) == side
        rim = places[centre + 1 : centre + 5] - places[centre]
        np.testing.assert_allclose(rim[:, 0], np.array([1, 0, -1, 0]) * 0.0059, atol=1e-4)
        np.testing.assert_allclose(rim[:, 1], np.array([0, 1, 0, -1]) * 0.0059, atol=1e-4)


def test_in_neutral_the_lips_are_closed_and_the_eyes_open(head):
    v = head.vertices
    assert np.abs(v[13] - v[14]).max() < 0.0005
    for upper, lower in ((159, 145), (386, 374)):
        assert 0.006 < v[upper, 1] - v[lower, 1] < 0.013


def test_the_face_covers_the_eyeballs_but_for_the_openings(head):
    for joint, loop in ((3, lm.LIDS_LEFT), (4, lm.LIDS_RIGHT)):
        distance = np.linalg.norm(head.vertices[:468] - head.joint_positions[joint], axis=1)
        assert distance.min() > 0.0121
        on_lid = distance[list(loop)][[2, 3, 4, 5, 6, 10, 11, 12, 13, 14]]
        assert on_lid.max() < 0.0145  # and the lids rest on the ball


def test_skin_weights_keep_the_head_on_the_neck_and_the_chest_on_the_root(head):
    w = head.skin_weights
    np.testing.assert_allclose(w.sum(1), 1, atol=1e-6)
    assert w.min() >= 0
    assert w[used(head, "scalp")][:, 0].max() == 0
    low = used(head, "shoulders")[head.vertices[used(head, "shoulders")][:, 1] < -0.2]
    assert w[low][:, 0].min() == 1
    assert w[lm.CHIN, JOINTS.index("jaw")] > 0.9
    for joint, side in ((3, 1), (4, -1)):
        ball = [i for i in used(head, "eyeballs") if head.vertices[i, 0] * side > 0]
        assert (w[ball, joint] == 1).all()


def test_identity_directions_are_symmetric_smooth_and_move_the_joints_along(head):
    assert 30 <= len(head.identity_names) <= 60
    assert len(set(head.identity_names)) == len(head.identity_names)
    mirrored = head.identity_deltas[:, head.mirror_vertices] * (-1, 1, 1)
    np.testing.assert_allclose(mirrored, head.identity_deltas, atol=1e-7)
    largest = np.linalg.norm(head.identity_deltas, axis=-1).max(1)
    assert (largest > 0.0008).all()
    apart = np.zeros(len(head.identity_names))
    apart[head.identity_names.index("eyeDistance")] = 1
    wider = head.personalised(apart)
    ball = [i for i in used(head, "eyeballs") if head.vertices[i, 0] > 0]
    radius = np.linalg.norm(wider.vertices[ball] - wider.joint_positions[3], axis=1)
    np.testing.assert_allclose(radius, 0.012, atol=1e-5)
    assert wider.joint_positions[3, 0] > head.joint_positions[3, 0] + 0.001


def test_identity_directions_are_linearly_independent(head):
    flat = head.identity_deltas.reshape(len(head.identity_names), -1).astype(np.float64)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert np.linalg.svd(flat, compute_uv=False).min() > 0.03
