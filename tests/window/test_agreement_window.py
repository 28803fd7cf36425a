"""The same frame three times: in the viewport, by F12, by the engine; lit; and in two windows."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

import ball_scene  # noqa: E402
import blender_window  # noqa: E402

from building import extension  # noqa: E402
from engine.api.avatar_file import write_avatar  # noqa: E402
from engine.api.baked import BakedAvatar  # noqa: E402
from engine.clip import Camera  # noqa: E402
from engine.render import render_baked  # noqa: E402

pytestmark = ball_scene.needs_window
SCALE = 4  # so that the footage's picture is about as large as the viewport
FOCAL = 300 * SCALE  # small heads: a software driver takes seconds for one that fills the view


def filmed() -> BakedAvatar:
    """The ball, filmed sharply, in a lively colour pattern."""
    avatar = ball_scene.ball(8000)
    rng = np.random.default_rng(4)
    avatar.base[:, 7:10] -= 0.5  # smaller Gaussians, as a head's are
    avatar.deltas[:] = 0  # at random they make needles
    avatar.base[:, 11:] = rng.uniform(0.1, 0.9, (40, 3))[avatar.binding.face % 40]
    shot = avatar.performance
    K = shot.K * np.array([[SCALE], [SCALE], [1.0]])
    K[0, 0] = K[1, 1] = FOCAL
    width, height = shot.width * SCALE, shot.height * SCALE
    return dataclasses.replace(
        avatar, performance=dataclasses.replace(shot, K=K, width=width, height=height)
    )


@pytest.fixture(scope="session")
def avatar() -> BakedAvatar:
    return filmed()


@pytest.fixture(scope="session")
def seen(avatar, tmp_path_factory) -> blender_window.Seen:
    folder = tmp_path_factory.mktemp("agreement")
    write_avatar(folder / "ball.likeness", avatar)
    here = Path(__file__).parent
    files = [folder / "ball.likeness", extension.package(), here / "stage.py"]
    scenario = here / "scenario_agreement.py"
    return blender_window.run_scenario(scenario, files, folder / "seen", 900)


def region(seen: blender_window.Seen, picture: str) -> np.ndarray:
    """What the viewport's region showed: [H, W, 3], 0..1."""
    x, y, width, height = seen.facts["region"]
    top = seen.facts["window"] - y - height
    return seen.pictures[picture][top : top + height, x : x + width] / 255.0


def rendered(seen: blender_window.Seen, name: str) -> np.ndarray:
    return np.asarray(Image.open(seen.folder / f"{name}.png").convert("RGB")) / 255.0


@pytest.fixture(scope="session")
def by_the_engine(seen, avatar) -> tuple[np.ndarray, np.ndarray]:
    """The engine's render of the frame, rgb and alpha, in the size of the viewport's region."""
    _, _, width, height = seen.facts["region"]
    shot = avatar.performance
    scale = width / shot.width
    K = shot.K * np.array([[scale], [scale], [1.0]])
    K[1, 2] += (height - shot.height * scale) / 2
    camera = Camera(shot.viewmat, K, width, height)
    index = seen.facts["frame"] - 1  # the performance begins at frame 1
    return render_baked(avatar, shot.params[index], camera)


@pytest.mark.parametrize(
    ("one", "other"), [("viewport", "f12"), ("viewport", "engine"), ("f12", "engine")]
)
def test_viewport_f12_and_engine_agree_on_a_frame(one, other, seen, by_the_engine):
    rgb, alpha = by_the_engine
    pictures = {
        "viewport": region(seen, "viewport"),
        "f12": rendered(seen, "f12"),
        "engine": rgb,
    }
    assert np.mean(alpha > 0.1) > 0.05
    apart = np.abs(pictures[one] - pictures[other])
    assert apart.mean() < 0.01
    # A viewport blends soft edges with what is behind in linear light; inside, nothing is behind.
    assert apart[alpha > 0.999].mean() < 0.008


def test_lamps_light_the_viewport_as_the_render_and_leave_solid_mode_alone(seen):
    lit, as_rendered = region(seen, "lit_viewport"), rendered(seen, "lit_f12")
    assert np.abs(lit - as_rendered).mean() < 0.01
    filmed_light = region(seen, "viewport")
    assert np.abs(lit - filmed_light).mean() > 0.01
    assert np.abs(region(seen, "lit_solid") - filmed_light).mean() < 0.002


def test_the_cameras_render_border_confines_the_avatar_in_rendered_mode(seen):
    whole, part = region(seen, "lit_viewport"), region(seen, "border")
    middle = whole.shape[1] // 2
    assert np.abs(part - whole)[:, : middle - 3].mean() < 0.002
    assert np.abs(part - whole)[:, middle + 3 :].mean() > 0.01


def test_a_second_window_shows_the_head_from_its_own_side(seen):
    x, y, width, height = seen.facts["second"]
    left, bottom, wide, high = seen.facts["second_region"]
    top = blender_window.HEIGHT - y - bottom - high
    shown = seen.pictures["windows"][top : top + high, x + left : x + left + wide]
    assert np.mean(shown.max(-1) > 60) > 0.05
