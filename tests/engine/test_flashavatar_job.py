"""A FlashAvatar fit as a job: interrupted where it may be, it ends with the same avatar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar
from engine.api.errors import Cancelled
from engine.api.messages import Message
from engine.clip import TrackedClip
from engine.jobs import run_job
from tests.engine.test_reconstruct_job import write_ellipsoid

SMALL = {
    "uv_size": 24, "network_uv": 12, "width": 16, "depth": 2, "images": 160,
    "base_only_images": 20, "size": 64,
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    return write_ellipsoid(tmp_path_factory.mktemp("tracked") / "clip")


@pytest.fixture(scope="module")
def uninterrupted(clip: TrackedClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "anna.likeness"
    fit(clip, output, "")
    return output


def fit(clip: TrackedClip, output: Path, stop_at: str) -> list[str]:
    """Runs the job until a stage of this name; what it has told."""
    told = []

    def listen(event: Message) -> None:
        if event["event"] == "notice":
            told.append(event["message"])
        if event["event"] == "progress" and stop_at and stop_at in event["stage"]:
            raise Cancelled("Cancelled.")

    values = {"source": str(clip.directory), "output": str(output), "method": "flashavatar"}
    run_job("reconstruct", {**values, "settings": SMALL}, listen)
    return told


def test_a_fit_interrupted_twice_gives_the_same_avatar(
    clip: TrackedClip, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.methods.pace.REPORT_SECONDS", 0.05)
    output = tmp_path / "anna.likeness"
    for stage in ("Fitting: Offsets", "Fitting blendshapes"):
        with pytest.raises(Cancelled):
            fit(clip, output, stage)
    assert fit(clip, output, "") == ["Resuming at 100%."]
    first, second = read_avatar(output), read_avatar(uninterrupted)
    np.testing.assert_array_equal(first.base, second.base)
    np.testing.assert_array_equal(first.deltas, second.deltas)
    assert first.info["metrics"] == second.info["metrics"]


def test_its_price_is_measured_and_its_weights_lie_within_one(
    clip: TrackedClip, uninterrupted: Path
) -> None:
    avatar = read_avatar(uninterrupted)
    assert 20 < avatar.info["bake_error"]["psnr"] < 100
    assert avatar.info["seconds"]["settle"] > 0
    train = np.setdiff1d(np.arange(len(clip)), avatar.performance.test_frames)
    weights = np.abs(avatar.weights(avatar.performance.params[train])).max(0)
    assert weights.min() > 0.9
    assert weights.max() < 1.001
