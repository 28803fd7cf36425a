"""Levels of detail by distance: what resolution a view has, and which level it needs."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.blender_addon import levels
from likeness.blender_addon.cpu_splats import View

LEVELS = (1000, 500, 250, 125)


def camera(distance, focal=3.0, width=400, height=200):
    """Looks along -z at the origin of the world from a distance."""
    view = np.eye(4)
    view[2, 3] = -distance
    window = np.diag([focal, focal * width / height, -1.0, 0.0])
    window[3, 2] = -1
    return View(view, window, width, height)


@pytest.mark.parametrize("distance", [0.5, 2.0])
def test_the_resolution_is_focal_length_over_distance(distance):
    assert levels.resolution(camera(distance), np.zeros(3)) == pytest.approx(600 / distance)


def test_a_head_scaled_up_is_seen_at_a_higher_resolution():
    view = camera(2.0)
    larger = view._replace(view_matrix=view.view_matrix @ np.diag([3.0, 3.0, 3.0, 1.0]))
    assert levels.resolution(larger, np.zeros(3)) == pytest.approx(900)


def test_behind_the_camera_there_is_no_resolution_and_the_coarsest_level():
    seen = levels.resolution(camera(-1.0), np.zeros(3))
    assert seen == 0
    assert levels.automatic_level(LEVELS, seen, 1000) == 3


@pytest.mark.parametrize(
    ("seen", "level"),
    [(5000, 0), (1000, 0), (501, 0), (500, 1), (130, 1), (125, 2), (33, 2), (31, 3), (1, 3)],
)
def test_the_level_follows_the_resolution(seen, level):
    assert levels.automatic_level(LEVELS, seen, 1000) == level


def test_an_avatar_of_one_level_has_no_choice():
    assert levels.automatic_level((777,), 1.0, 1000) == 0
