"""The tools of the Likeness tab in a real window: undo of each, playback, exports, a saved file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import blender_window  # noqa: E402
from ball_scene import SKIN, color, needs_window, run  # noqa: E402

from engine.api.avatar_file import read_avatar  # noqa: E402

pytestmark = needs_window


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> blender_window.Seen:
    folder = tmp_path_factory.mktemp("tools")
    return run("scenario_tools.py", folder, gaussians=4000, seconds=1500)


def is_skin(found: np.ndarray) -> bool:
    return bool(np.abs(found - SKIN).max() < 16)


def test_every_operator_is_undone_and_done_again(seen):
    assert seen.facts["faults"] == []
    assert len(seen.facts["walked"]) > 20
    assert "Traceback" not in seen.said


def test_a_slider_dragged_by_the_mouse_moves_the_face_meanwhile_and_is_undone(seen):
    dragged = seen.facts["dragged"]
    before, held, released, undone = (
        dragged[when] for when in ("before", "held", "released", "undone")
    )
    assert {name for name in held if held[name] != before[name]} == {"browInnerUp"}
    assert 0.1 < held["browInnerUp"] == released["browInnerUp"]
    assert undone == before
    view = np.s_[100:790, 100:760]
    shown = [seen.pictures[name][view].astype(int) for name in ("before_drag", "held")]
    assert np.any(np.abs(shown[1] - shown[0]) > 20, axis=-1).sum() > 50


@pytest.mark.parametrize(
    ("picture", "place"), [("first_frame", "start"), ("last_frame", "end"), ("opened_again", "end")]
)
def test_the_head_is_where_its_keyframes_put_it(seen, picture, place):
    for point in ("start", "end"):
        assert is_skin(color(seen, picture, point)) == (point == place), point


def test_playback_comes_by_every_frame(seen):
    assert seen.facts["played"] == [1, 2, 3, 4, 5, 6]


def test_what_is_exported_is_whole(seen):
    assert min(seen.facts["exported"].values()) > 50_000
    again = read_avatar(seen.folder / "exported.likeness")
    np.testing.assert_array_equal(again.base, read_avatar(seen.folder / "ball.likeness").base)
    assert (seen.folder / "exported.ply").read_bytes()[:4] == b"ply\n"
    assert (seen.folder / "exported.glb").read_bytes()[:4] == b"glTF"
