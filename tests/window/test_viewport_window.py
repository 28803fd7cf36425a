"""A real Blender window: every kind of view, hiding, undo and redo, several avatars, a storm."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import blender_window  # noqa: E402
from ball_scene import BLACK, BLUE, SKIN, color, color_at, needs_window, run  # noqa: E402

pytestmark = needs_window


@pytest.fixture(scope="session")
def seen(tmp_path_factory) -> blender_window.Seen:
    folder = tmp_path_factory.mktemp("viewport")
    return run("scenario_viewport.py", folder, gaussians=6000, seconds=600)


def is_skin(found: np.ndarray) -> bool:
    return bool(np.abs(found - SKIN).max() < 16)


@pytest.mark.parametrize("view", ["orthographic", "perspective", "camera"])
def test_the_avatar_is_where_its_mesh_is_in_every_projection(seen, view):
    assert is_skin(color(seen, view, "head"))
    assert color(seen, view, "empty") == pytest.approx(BLACK, abs=4)


@pytest.mark.parametrize("view", ["orthographic", "perspective"])
def test_it_reaches_its_edge(seen, view):
    assert is_skin(color(seen, view, "edge"))


@pytest.mark.parametrize("transform", ["Standard", "AgX", "Filmic"])
def test_its_colour_is_the_footages_under_every_view_transform(seen, transform):
    assert color(seen, transform, "head") == pytest.approx(SKIN, abs=10)
    acts = np.abs(color(seen, transform, "beside") - color(seen, "Standard", "beside")).max()
    assert (acts > 30) == (transform != "Standard")


@pytest.mark.parametrize("mode", ["xray", "wireframe"])
def test_meshes_that_can_be_seen_through_hide_nothing(seen, mode):
    assert is_skin(color(seen, mode, "front"))


def test_a_rig_stretched_in_one_direction_stretches_the_head(seen):
    assert is_skin(color(seen, "stretched", "out"))
    assert not is_skin(color(seen, "stretched", "above"))


def test_local_view_shows_what_is_in_it_and_nothing_else(seen):
    assert color(seen, "local_cube", "beside") == pytest.approx(BLUE, abs=12)
    assert not is_skin(color(seen, "local_cube", "head"))
    assert is_skin(color(seen, "local_avatar", "head"))
    assert color(seen, "local_avatar", "beside") == pytest.approx(BLACK, abs=4)


def test_a_hidden_avatar_is_not_drawn_until_it_is_shown(seen):
    assert not is_skin(color(seen, "hidden", "head"))
    assert is_skin(color(seen, "shown", "head"))


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ("moved", "after"),
        ("undone", "before"),
        ("redone", "after"),
        ("removed", None),
        ("back", "after"),
        ("back_home", "before"),
    ],
)
def test_the_drawing_follows_undo_and_redo(seen, step, place):
    for point in ("before", "after"):
        assert is_skin(color(seen, step, point)) == (point == place), point


@pytest.mark.parametrize("which", ["first", "second", "instance"])
def test_two_avatars_and_an_instance_are_drawn_together(seen, which):
    assert is_skin(color(seen, "several", which))


@pytest.mark.parametrize("side", ["front", "behind"])
@pytest.mark.parametrize("which", ["first", "second", "instance"])
def test_two_viewports_show_the_same_heads_from_their_own_sides(seen, side, which):
    assert is_skin(color_at(seen, "split", seen.facts["split"][side][which]))


def test_a_storm_in_the_window_ends_without_a_word(seen):
    assert seen.facts["storm"] == 24
    assert seen.facts["log"] == []
    assert "Traceback" not in seen.said
