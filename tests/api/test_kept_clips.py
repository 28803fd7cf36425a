"""Tracked clips wait for the next preset, or for a fit to go on, and do not pile up."""

from __future__ import annotations

import os
import time
from pathlib import Path

from blender_addon.kept_clips import KEPT_SECONDS, clips_folder


def test_clips_of_other_footage_go_after_a_day_and_one_s_own_stays(tmp_path: Path) -> None:
    folder, long_ago = tmp_path / "clips", time.time() - KEPT_SECONDS - 60
    for name in ("anna", "bert", ".bert-half-written", "carl"):
        (folder / name / "frames").mkdir(parents=True)
        if name != "carl":
            os.utime(folder / name, (long_ago, long_ago))
    assert clips_folder(folder, Path("/footage/anna.mp4")) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["anna", "carl"]
