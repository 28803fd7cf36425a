"""Machines without a graphics driver: asking Blender for OpenGL there ends the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from likeness.blender_addon import gpu_probe

NO_DRIVER = {"__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent"}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hides the driver through glvnd")


@pytest.fixture
def fresh_probe():
    gpu_probe.gpu_available.cache_clear()
    yield
    gpu_probe.gpu_available.cache_clear()


def test_the_probe_tells_a_machine_with_a_driver_from_one_without(fresh_probe, monkeypatch):
    assert gpu_probe.gpu_available()
    gpu_probe.gpu_available.cache_clear()
    for name, value in NO_DRIVER.items():
        monkeypatch.setenv(name, value)
    assert not gpu_probe.gpu_available()


def test_a_scene_set_to_gpu_renders_right_where_there_is_no_driver():
    claim = "test_render.py::test_the_footages_colours_reach_the_screen[Standard-0.0-0.004]"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(Path(__file__).parent / claim)],
        env=os.environ | NO_DRIVER,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
