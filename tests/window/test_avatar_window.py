"""A real Blender window: the tab is there, and the avatar's pixels are where its mesh is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

import blender_window  # noqa: E402
from ball_scene import BLACK, BLUE, RED, SKIN, color, needs_window, run  # noqa: E402

MODES = ("solid", "material", "rendered")

pytestmark = needs_window


@pytest.fixture(scope="session")
def seen(tmp_path_factory) -> blender_window.Seen:
    folder = tmp_path_factory.mktemp("window")
    return run("scenario_avatar.py", folder, gaussians=12000, seconds=600)


def test_a_click_on_the_likeness_tab_shows_its_panels(seen):
    assert seen.facts["category"] == "Likeness"
    x, _, width, _ = seen.facts["sidebar"]
    sidebar = np.s_[100:600, x : x + width]
    before, after = seen.pictures["empty"][sidebar], seen.pictures["tab"][sidebar]
    assert np.mean(np.any(before != after, -1)) > 0.1


def test_the_avatar_is_drawn_where_its_mesh_is(seen):
    assert color(seen, "alone", "head") == pytest.approx(SKIN, abs=12)
    assert color(seen, "alone", "empty") == pytest.approx(BLACK, abs=4)


@pytest.mark.parametrize("overlays", ["between", "overlays"])
@pytest.mark.parametrize("mode", MODES)
def test_a_cube_in_front_hides_the_avatar(seen, mode, overlays):
    assert color(seen, f"{overlays}_{mode}", "front") == pytest.approx(RED, abs=12)


@pytest.mark.parametrize("overlays", ["between", "overlays"])
@pytest.mark.parametrize("mode", MODES)
def test_the_avatar_hides_a_cube_behind(seen, mode, overlays):
    picture = f"{overlays}_{mode}"
    assert color(seen, picture, "behind") == pytest.approx(SKIN, abs=12)
    assert color(seen, picture, "beside") == pytest.approx(BLUE, abs=12)


def test_the_render_border_confines_the_avatar(seen):
    assert color(seen, "border", "behind") == pytest.approx(SKIN, abs=12)
    right = color(seen, "border", "edge")
    assert np.abs(right - SKIN).max() > 40


def test_cubes_that_change_places_change_who_is_hidden(seen):
    assert color(seen, "exchanged", "front") == pytest.approx(SKIN, abs=12)
    assert color(seen, "exchanged", "behind") == pytest.approx(BLUE, abs=12)


def test_f12_renders_the_avatar_between_the_cubes(seen):
    assert seen.facts["rendered"]
    render = np.asarray(Image.open(seen.folder / "render.png").convert("RGB"), float)
    assert render.shape == (240, 240, 3)

    def at(x: float, z: float) -> np.ndarray:
        """Colour at metres right of and above the head's middle: 0.6 m are 240 pixels."""
        return render[round(119.5 - 400 * z), round(119.5 + 400 * x)]

    assert at(0, 0) == pytest.approx(SKIN, abs=6)
    assert at(0.05, 0) == pytest.approx(RED, abs=6)
    assert at(-0.05, 0) == pytest.approx(SKIN, abs=6)
    assert at(-0.2, 0) == pytest.approx(BLUE, abs=6)
    assert at(0, 0.25)[2] < 120
