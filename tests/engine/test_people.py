"""Made-up people: the same for the same number, diverse, filmed with exact cameras and depths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.people.cast import Cast
from engine.people.person import make_person
from engine.people.strands import joined
from engine.people.studio import film
from engine.people.traits import BEARDS, GLASSES, HAIRCUTS, NECKLINES, draw_traits

SIZE = 48
OVAL = 30  # mm from the middle of the face within which no hair hangs over it


@pytest.fixture(scope="module")
def person():
    """Someone with short hair, no beard and no glasses: the face is bare."""
    for seed in range(200):
        traits = draw_traits(seed)
        if (traits.haircut, traits.beard, traits.glasses) == ("buzz", "none", "none"):
            return make_person(seed)
    raise AssertionError("nobody has a bare face")


def test_a_number_always_makes_the_same_person():
    first, again, other = (film(make_person(seed), 0, 1, SIZE) for seed in (3, 3, 4))
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.vertices, again.vertices)
    assert (first.pictures - other.pictures).abs().mean() > 0.02


def test_another_shot_shows_the_same_head_otherwise(person):
    one, two = film(person, 0, 2, SIZE), film(person, 1, 2, SIZE)
    assert one.head is two.head
    assert not torch.equal(one.codes, two.codes)
    assert not torch.equal(one.cameras.viewmats, two.cameras.viewmats)


def test_codes_and_vertices_belong_to_the_pictures(person):
    views = film(person, 0, 2, SIZE)
    assert views.codes.shape == (2, len(person.head.code_names))
    assert views.vertices.shape == (2, len(person.head.vertices), 3)
    eyes = person.head.joint_positions[3:].mean(0)
    assert np.linalg.norm(views.vertices.mean(1).numpy() - person.head.vertices.mean(0)) < 0.1
    assert eyes[2] > 0.03


def test_depths_are_those_of_the_posed_mesh(person):
    """The face's landmarks project onto pixels whose depth is the landmarks' own."""
    views = film(person, 2, 4, 128, around=0.0)
    near = np.abs(person.head.vertices[:468] * 1000 - (0, -20, 75)).max(1) < OVAL
    flat = np.flatnonzero(near & (person.head.vertices[:468, 2] > 0.06))
    landmarks = views.vertices[:, torch.from_numpy(flat)]
    at = landmarks @ views.cameras.viewmats[:, :3, :3].mT + views.cameras.viewmats[:, None, :3, 3]
    pixels = (at / at[..., 2:]) @ views.cameras.Ks.mT
    column, row = pixels[..., 0].long(), pixels[..., 1].long()
    inside = (column >= 0) & (column < 128) & (row >= 0) & (row < 128)
    view = torch.arange(4)[:, None].expand_as(row)[inside]
    error = views.depths[view, row[inside], column[inside]] - at[..., 2][inside]
    assert error.abs().median() < 0.003


def test_where_nobody_is_the_matte_is_empty_and_black(person):
    views = film(person, 0, 2, SIZE)
    colours, alpha = views.pictures[..., :3], views.pictures[..., 3:]
    assert alpha.min() == 0
    assert alpha.max() > 0.98
    assert (colours <= alpha + 1e-5).all()
    assert (views.depths[alpha[..., 0] == 0] == 0).all()


def test_people_are_of_every_kind():
    traits = [draw_traits(seed) for seed in range(400)]
    for kinds, name in ((HAIRCUTS, "haircut"), (BEARDS, "beard"), (NECKLINES, "neckline"),
                        (GLASSES, "glasses")):  # fmt: skip
        assert {getattr(one, name) for one in traits} == set(kinds)
    skin = np.array([one.skin.mean() for one in traits])
    assert np.percentile(skin, 10) < 0.45
    assert np.percentile(skin, 90) > 0.7


def test_hair_has_volume_and_stays_out_of_the_face():
    seed = next(s for s in range(300) if draw_traits(s).haircut == "long")
    person = make_person(seed)
    hair = person.strands.start * 1000
    scalp = person.head.region_names.index("scalp")
    skull = person.head.vertices[person.head.faces[person.head.face_regions == scalp]] * 1000
    assert hair[:, 1].max() > skull[..., 1].max() + 2
    assert np.ptp(hair[:, 0]) > np.ptp(skull[..., 0]) + 10
    face = (np.abs(hair[:, 0]) < 40) & (hair[:, 1] < 30) & (hair[:, 1] > -90) & (hair[:, 2] > 60)
    if person.traits.glasses == "none":
        assert face.sum() < 0.002 * len(hair)


def test_a_cast_is_filmed_once_and_a_damaged_file_again(tmp_path):
    cast = Cast(tmp_path / "cast", 2, SIZE)
    first = cast.views(7)
    stamp = cast.path(7).stat().st_mtime_ns
    assert torch.equal(cast.views(7).pictures, first.pictures)
    assert cast.path(7).stat().st_mtime_ns == stamp
    cast.path(7).write_bytes(b"half a file")
    assert torch.equal(cast.views(7).pictures, first.pictures)


def test_no_strands_join_to_an_empty_set():
    assert len(joined([])) == 0
