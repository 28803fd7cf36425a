"""What a refinement begins with: a network's Gaussians where they serve, plain surface beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.api.baked import Binding
from engine.api.head import HeadModel
from engine.mesh import face_areas
from engine.methods.feedforward.views import views_of
from engine.methods.regression.start import network_start, plain_start
from tests.made_up_clips import filmed_clip


def test_what_slides_and_stretches_is_never_left_to_a_network(tmp_path: Path) -> None:
    """Its large Gaussians keep an eye from closing and tear round an open mouth."""
    clip = filmed_clip(3, 2, 96, tmp_path / "clip")
    start = network_start("omgavatar", clip, views_of(clip, [0], 96))
    assert start is not None
    plain = plain_start(clip.head)
    for name in ("eyelids", "eyeballs", "lips"):
        mine, wanted = (faces(clip.head, one.binding, name) for one in (start, plain))
        np.testing.assert_array_equal(np.sort(mine), np.sort(wanted))
    torn = opened(clip.head) & (clip.head.face_regions == clip.head.region_names.index("skin"))
    assert torn.sum() > 10
    mine, wanted = (one.binding.face[torn[one.binding.face]] for one in (start, plain))
    np.testing.assert_array_equal(np.sort(mine), np.sort(wanted))
    mine, others = (faces(clip.head, one.binding, "scalp") for one in (start, plain))
    assert len(mine) != len(others)  # which is the network's


def opened(head: HeadModel) -> np.ndarray:
    """The triangles [F] that an open jaw makes half as large again."""
    jaw = head.expression_deltas[head.expression_names.index("jawOpen")]
    rest, wide = (face_areas(v, head.faces) for v in (head.vertices, head.vertices + jaw))
    return wide > 1.5 * rest


def faces(head: HeadModel, binding: Binding, region: str) -> np.ndarray:
    """The triangles [n] of the Gaussians in a region."""
    number = head.region_names.index(region)
    return binding.face[head.face_regions[binding.face] == number]
