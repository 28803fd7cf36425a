"""The demo: footage becomes an avatar, and the avatar plays in a lit Blender scene.

It takes the way of a new user: the engine's command line, the packaged extension, Blender.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .environments import set_up_blender, set_up_engine
from .extension import package
from .shell import BLENDERS, ROOT, BuildError, run, say

DEMO = ROOT / "demo"
FIT_SECONDS = 240
"""Enough to look like the person; with all the rest the demo ends in about ten minutes."""


class Stopwatch:
    """Seconds of each named stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        say(f"--- {name}")
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)


def make(video: Path | None, out: Path) -> None:
    """Write the demo's results into `out`. Raises BuildError at the first stage that fails."""
    python, blender = set_up_engine(), _newest_blender()
    archive = package()
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    watch = Stopwatch()
    if video is not None:
        video = video.resolve()
    else:
        video = out / "sample.mp4"
        with watch.stage("sample"):
            _in_engine(python, DEMO / "sample.py", video)
    clip, avatar = out / "clip", out / "avatar.likeness"
    with watch.stage("track"):
        shutil.rmtree(clip, ignore_errors=True)
        _in_engine(python, "-m", "engine", "track", video, "-o", clip)
    with watch.stage("fit"):
        limit = ("--preset", "standard", "--max-seconds", str(FIT_SECONDS))
        _in_engine(python, "-m", "engine", "fit", clip, "-o", avatar, *limit)
    with watch.stage("judge"):
        _in_engine(python, DEMO / "judge.py", clip, avatar, out)
    with watch.stage("blender"):
        scene = _in_blender(blender, archive, avatar, out)
    with watch.stage("film"):
        _in_engine(python, DEMO / "film.py", out / "frames", out / "demo.mp4", scene["fps"])
    _report(out, scene, watch.seconds)


def _newest_blender() -> Path:
    for version in reversed(BLENDERS):
        python = set_up_blender(version)
        if python:
            return python
    raise BuildError("The demo needs Python 3.11 or 3.13, for Blender as a module.")


def _in_engine(python: Path, *command: object) -> None:
    run(python, *map(str, command), env={"PYTHONPATH": str(ROOT)})


def _in_blender(python: Path, archive: Path, avatar: Path, out: Path) -> dict:
    """Render the scene in a Blender whose user folder is its own; what the scene says of itself."""
    shutil.rmtree(out / "frames", ignore_errors=True)
    with tempfile.TemporaryDirectory() as user:
        variables = {"BLENDER_USER_RESOURCES": user, "PYTHONNOUSERSITE": "1"}
        run(python, DEMO / "scene.py", archive, avatar, out, env={**os.environ, **variables})
    facts = out / "scene.json"
    scene = json.loads(facts.read_text("utf-8"))
    facts.unlink()
    return scene


def _report(out: Path, scene: dict, seconds: dict[str, float]) -> None:
    judgement = out / "judgement.json"
    report = json.loads(judgement.read_text("utf-8"))
    judgement.unlink()
    report["versions"]["blender"] = scene["blender"]
    report["counts"]["rendered_frames"] = scene["frames"]
    report["seconds"] = {**seconds, "total": round(sum(seconds.values()), 1)}
    (out / "report.json").write_text(json.dumps(report, indent=1), "utf-8")
    found = report["held_out"]
    say(f"held-out frames: PSNR {found['psnr']:.2f} dB, SSIM {found['ssim']:.3f}")
    minutes, rest = divmod(round(report["seconds"]["total"]), 60)
    say(f"done in {minutes} min {rest} s; everything is in {out}")
    for name, what in RESULTS.items():
        say(f"  {name:<16} {what}")


RESULTS = {
    "demo.mp4": "the avatar in a lit scene, three sliders keyframed over the performance",
    "comparison.png": "footage | avatar, on frames it never learned from",
    "sliders.png": "one slider at a time",
    "orbit.png": "seen from beside the camera",
    "avatar.likeness": "the avatar: import it in Blender",
    "avatar.blend": "the scene that was rendered",
    "report.json": "figures, seconds, counts, versions",
}
