"""A real Blender window: the tab is there, and the avatar's pixels are where its mesh is."""

from __future__ import annotations

import dataclasses
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE), str(ROOT / "tests" / "blender")]
if "likeness" not in sys.modules:  # the checkout under its installed name, for synthetic.py
    sys.modules["likeness"] = types.ModuleType("likeness")
    sys.modules["likeness"].__path__ = [str(ROOT)]

import blender_window  # noqa: E402
import synthetic  # noqa: E402

from building import extension  # noqa: E402
from engine.api.avatar_file import write_avatar  # noqa: E402
from engine.api.baked import COLORS, OPACITY, BakedAvatar  # noqa: E402

SKIN = 255 * np.array(synthetic.SKIN)
RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)
MODES = ("solid", "material", "rendered")

pytestmark = pytest.mark.skipif(
    not blender_window.CHROOT.joinpath(".likeness-window").exists() or os.geteuid() != 0,
    reason="needs root and the chroot that tests/window/install_blender.sh makes",
)


@pytest.fixture(scope="session")
def seen(tmp_path_factory) -> blender_window.Seen:
    folder = tmp_path_factory.mktemp("window")
    write_avatar(folder / "ball.likeness", ball())
    files = [folder / "ball.likeness", extension.package()]
    return blender_window.run_scenario(
        HERE / "scenario_avatar.py", files, folder / "seen", seconds=300
    )


def ball() -> BakedAvatar:
    """An opaque ball of one colour in every pose."""
    avatar = synthetic.make_avatar(gaussians=12000)
    deltas = avatar.deltas.copy()
    deltas[..., OPACITY] = deltas[..., COLORS] = 0
    return dataclasses.replace(avatar, deltas=deltas)


def color(seen: blender_window.Seen, picture: str, point: str) -> np.ndarray:
    """Mean colour of 5 x 5 pixels where a point of the world is."""
    row, column = seen.facts[picture][point]
    return seen.pictures[picture][row - 2 : row + 3, column - 2 : column + 3].mean((0, 1))


def test_a_click_on_the_likeness_tab_shows_its_panels(seen):
    assert seen.facts["category"] == "Likeness"
    x, _, width, _ = seen.facts["sidebar"]
    sidebar = np.s_[100:600, x : x + width]
    before, after = seen.pictures["empty"][sidebar], seen.pictures["tab"][sidebar]
    assert np.mean(np.any(before != after, -1)) > 0.1


def test_the_avatar_is_drawn_where_its_mesh_is(seen):
    assert color(seen, "alone", "head") == pytest.approx(SKIN, abs=12)
    assert color(seen, "alone", "empty") == pytest.approx(BLACK, abs=4)


@pytest.mark.parametrize("mode", MODES)
def test_a_cube_in_front_hides_the_avatar(seen, mode):
    assert color(seen, f"between_{mode}", "front") == pytest.approx(RED, abs=12)


@pytest.mark.parametrize("mode", MODES)
def test_the_avatar_hides_a_cube_behind(seen, mode):
    picture = f"between_{mode}"
    assert color(seen, picture, "behind") == pytest.approx(SKIN, abs=12)
    assert color(seen, picture, "beside") == pytest.approx(BLUE, abs=12)


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
