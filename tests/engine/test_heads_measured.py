"""Claims about the built-in head beside the mean of ICT-FaceKit, which many artists trust.

ICT is MIT-licensed and lies in ../shared only; nothing of it is in the product. Correspondence: our
468 landmarks draped over its skin from its own 51 inner landmarks (engine/heads/drape.py). Where
surfaces are compared, one similarity, refined on the face alone, aligns the heads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.api.head import HeadModel
from engine.heads.alignment import similarity
from engine.heads.boundaries import open_loops
from engine.heads.builtin import REGIONS, builtin_head
from engine.heads.closest_point import closest_points
from engine.heads.drape import drape
from engine.heads.ict import CENTIMETRES, LANDMARKS_68, SKIN, _arkit, _from_npz, _triangles
from engine.heads.landmarks import IBUG_TO_MEDIAPIPE

ICT = Path(__file__).resolve().parents[3] / "shared" / "heads" / "ict_facekit.npz"
pytestmark = pytest.mark.skipif(not ICT.is_file(), reason="ICT-FaceKit is not in ../shared/heads")
MOVED = 0.2  # the displaced region: where ICT's shape moves at least this share of its most
LARGEST_COSINE, SMALLEST_SINGULAR_VALUE = 0.85, 0.15


@pytest.fixture(scope="module")
def kit():
    return _from_npz(ICT)


@pytest.fixture(scope="module")
def shapes(kit) -> dict[str, np.ndarray]:
    """ICT's displacements by ARKit name."""
    return _arkit(kit)


@pytest.fixture(scope="module")
def skin(kit) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in metres and the faces of ICT's skin."""
    faces = _triangles(kit)[0]
    return kit.vertices.astype(float) * CENTIMETRES, faces[(faces < SKIN[1]).all(1)]


@pytest.fixture(scope="module")
def draped(skin):
    vertices, faces = skin
    anchors = {lm: vertices[LANDMARKS_68[ibug]] for ibug, lm in IBUG_TO_MEDIAPIPE.items()}
    return drape(anchors, vertices, faces)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return builtin_head()


def part(head: HeadModel, *names: str) -> np.ndarray:
    """Vertices of regions."""
    return np.unique(head.faces[np.isin(head.face_regions, [REGIONS.index(n) for n in names])])


@pytest.fixture(scope="module")
def placed(head, skin, draped) -> np.ndarray:
    """Our vertices [V, 3] after similarity alignment on the face: closest points in rounds."""
    own, alignment = head.vertices.astype(float), draped.alignment
    for _ in range(20):
        found = closest_points(alignment.apply(own[:468]), *skin)
        alignment = similarity(own[:468], found.place)
    return alignment.apply(own)


def away(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Distances [n] to a surface, of those points whose nearest place is not its open edge."""
    found = closest_points(points, vertices, faces)
    edge = np.concatenate(open_loops(faces))
    corners = faces[found.face]
    on_edge = (np.isin(corners, edge) & (found.barycentric > 0.02)).sum(1) >= 2
    return found.distance[~on_edge | (found.distance < 0.002)]


@pytest.mark.parametrize(
    ("regions", "limit"),
    [
        (("skin", "lips", "eyelids"), 0.004),
        (("scalp",), 0.010),
        (("neck",), 0.010),
        (("ears",), 0.006),
    ],
)
def test_our_surface_lies_near_icts(head, skin, placed, regions, limit):
    distance = away(placed[part(head, *regions)], *skin)
    assert len(distance) > 100
    assert distance.mean() <= limit


def test_icts_face_and_skull_lie_near_our_surface(head, skin, placed):
    vertices, faces = skin
    outside = ("skin", "lips", "eyelids", "scalp", "ears", "neck")
    own = head.faces[np.isin(head.face_regions, [REGIONS.index(n) for n in outside])]
    chin = placed[152, 1]
    above = vertices[np.unique(faces)]
    above = above[above[:, 1] > chin]
    front = above[:, 2] > placed[[234, 454], 2].mean() + 0.02
    assert away(above[front], placed, own).mean() <= 0.004
    assert away(above[~front], placed, own).mean() <= 0.010


def directions(head: HeadModel, shapes, skin, draped, name: str) -> tuple[np.ndarray, ...]:
    """ICT's and our displacements [468, 3] at the landmarks, and the skin's area there [468]."""
    corners = skin[1][draped.face]
    theirs = np.einsum("nk,nkc->nc", draped.barycentric, shapes[name][corners].astype(float))
    ours = head.expression_deltas[head.expression_names.index(name), :468].astype(float)
    triangles = head.vertices[head.faces].astype(float)
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.zeros(len(head.vertices))
    np.add.at(area, head.faces.ravel(), np.repeat(np.linalg.norm(cross, axis=1) / 6, 3))
    return theirs, draped.alignment.turn(ours), area[:468]


@pytest.mark.parametrize("name", [n for n in builtin_head().expression_names if n != "tongueOut"])
def test_an_expression_moves_the_skin_as_icts_shape_of_the_same_meaning(
    head, shapes, skin, draped, name
):
    # One cosine between both displacement fields over ICT's displaced region, weighted by area:
    # it falls when the direction differs and also when the motion is in the wrong place.
    theirs, ours, area = directions(head, shapes, skin, draped, name)
    length = np.linalg.norm(theirs, axis=1)
    region = length > MOVED * length.max()
    a, b, w = theirs[region], ours[region], area[region, None]
    cosine = (w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum())
    assert np.linalg.norm(ours, axis=1).max() > 0.0008
    assert cosine >= 0.8


def test_tongue_out_which_ict_lacks_brings_the_tongue_out_and_moves_nothing_else(head):
    delta = head.expression_deltas[head.expression_names.index("tongueOut")]
    tongue = part(head, "tongue")
    assert delta[tongue, 2].max() > 0.03
    assert np.abs(np.delete(delta, tongue, axis=0)).max() == 0


def test_identity_directions_are_many_and_orthogonal_enough(head):
    # Unit directions weighted by area: no two nearly alike, none nearly made of the others.
    triangles = head.vertices[head.faces].astype(float)
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.zeros(len(head.vertices))
    np.add.at(area, head.faces.ravel(), np.repeat(np.linalg.norm(cross, axis=1) / 6, 3))
    flat = (head.identity_deltas * np.sqrt(area)[None, :, None]).reshape(
        len(head.identity_names), -1
    )
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    alike = flat @ flat.T - np.eye(len(flat))
    assert len(flat) >= 40
    assert np.abs(alike).max() <= LARGEST_COSINE
    assert np.linalg.svd(flat, compute_uv=False).min() >= SMALLEST_SINGULAR_VALUE
