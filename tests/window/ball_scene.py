"""A ball of one colour as the avatar of window tests: scenarios with it, colours at its points."""

from __future__ import annotations

import dataclasses
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

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

needs_window = pytest.mark.skipif(
    not blender_window.CHROOT.joinpath(".likeness-window").exists() or os.geteuid() != 0,
    reason="needs root and the chroot that tests/window/install_blender.sh makes",
)


def run(scenario: str, folder: Path, gaussians: int, seconds: float) -> blender_window.Seen:
    """Run a scenario with the packaged extension and the ball as a .likeness file."""
    write_avatar(folder / "ball.likeness", ball(gaussians))
    beside = ROOT / "tests" / "blender"
    shared = [HERE / "stage.py", beside / "storm.py", beside / "undo_walk.py"]
    files = [folder / "ball.likeness", extension.package(), *shared]
    return blender_window.run_scenario(HERE / scenario, files, folder / "seen", seconds)


def ball(gaussians: int) -> BakedAvatar:
    """An opaque ball of one colour in every pose."""
    avatar = synthetic.make_avatar(gaussians=gaussians)
    deltas = avatar.deltas.copy()
    deltas[..., OPACITY] = deltas[..., COLORS] = 0
    return dataclasses.replace(avatar, deltas=deltas)


def color(seen: blender_window.Seen, picture: str, point: str) -> np.ndarray:
    """Mean colour of 5 x 5 pixels where a point of the world is."""
    return color_at(seen, picture, seen.facts[picture][point])


def color_at(seen: blender_window.Seen, picture: str, pixel: tuple[int, int]) -> np.ndarray:
    """Mean colour of 5 x 5 pixels about a row and column of the screen."""
    row, column = pixel
    return seen.pictures[picture][row - 2 : row + 3, column - 2 : column + 3].mean((0, 1))
