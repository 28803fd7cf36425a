"""Create Avatar in a real window with the real engine on a real clip: seen while it learns,
cancelled, begun again, left in the middle, gone on with in another Blender to the end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import blender_window  # noqa: E402
from ball_scene import needs_window  # noqa: E402

from building import extension  # noqa: E402
from engine.sample import make_sample  # noqa: E402

HERE = Path(__file__).parent
FRAMES = 12
LONGEST_POLL = 0.25
"""Seconds of CPU time for which the job may hold the window at a time; usually 0.1."""

pytestmark = needs_window


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> list[blender_window.Seen]:
    folder = tmp_path_factory.mktemp("create")
    make_sample(folder / "anna.mp4", FRAMES / 25)
    scenarios = [HERE / "scenario_create.py", HERE / "scenario_resume.py"]
    files = [folder / "anna.mp4", extension.package()]
    return blender_window.run_sessions(scenarios, files, folder / "seen", seconds=2400)


def test_the_avatar_appears_and_is_refreshed_while_it_learns(sessions):
    facts = sessions[0].facts
    assert facts["refreshed"] >= 1
    assert facts["stage"].startswith("Fitting: ")
    assert facts["stage"].endswith(" dB")
    assert 0.3 < facts["progress"] < 1
    assert facts["icon"]


def test_the_window_does_not_wait_for_the_engine(sessions):
    facts = sessions[0].facts
    assert facts["polls"] > 2
    assert facts["longest_poll"] < LONGEST_POLL


def test_no_viewport_is_drawn_while_there_is_nothing_new_to_see(sessions):
    seconds, draws = sessions[0].facts["tracking"]
    assert seconds > 5
    assert draws / seconds < 0.5  # each look at the engine would make it 5 on a free machine


def test_the_head_is_in_the_viewport_until_esc_takes_it_away(sessions):
    pictures = sessions[0].pictures
    head = np.s_[150:350, 450:620]  # where the footage camera has it; later the axes' lines cross
    bright = {name: (picture[head].max(-1) > 120).mean() for name, picture in pictures.items()}
    assert bright["creating"] > 0.5
    assert bright["cancelled"] < 0.05


def test_esc_leaves_nothing_half(sessions):
    left = sessions[0].facts["cancelled"]
    assert not left["running"]
    assert (left["error"], left["objects"], left["meshes"]) == ("", 0, 0)
    assert (left["frame_end"], left["scenes"]) == (77, 1)
    assert left["files"] == [".anna.unfinished"]
    assert left["view"] == pytest.approx(sessions[0].facts["view"], abs=1e-3)


def test_closing_blender_ends_the_engine(sessions):
    process = Path("/proc") / str(sessions[0].facts["engine"])
    deadline = time.monotonic() + 10
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not process.exists()


def test_the_next_blender_offers_to_go_on_and_comes_to_the_end(sessions):
    facts = sessions[1].facts
    assert facts["offered"]
    assert facts["error"] == ""
    assert not [stage for stage in facts["stages"] if stage.startswith("Tracking")]
    assert facts["avatars"] == ["anna"]
    assert not facts["still_offered"]
    assert facts["stages"]


def test_a_video_of_the_same_performance_moves_the_avatar_alike(sessions):
    driven = sessions[1].facts["driven"]
    assert driven["error"] == ""
    assert driven["action"] == "anna from anna"
    own, now = np.array(driven["own"]), np.array(driven["now"])
    assert len(own) == FRAMES
    # The fit has corrected the avatar's own movement by its looks since.
    assert np.abs(own - now).max() > 1e-4
    assert np.corrcoef(own.ravel(), now.ravel())[0, 1] > 0.9
