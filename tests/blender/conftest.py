"""Tests that run inside Blender's Python (`bpy` wheel): `python -m pytest tests/blender`.

The checkout is imported as the package `likeness`, as Blender imports the installed extension; or
the archive that LIKENESS_ZIP names, as `build.py test` does, so that every Blender tests the same.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import types
import zipfile
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))


def _source() -> Path:
    """The folder of the extension: the checkout, or the archive unpacked."""
    archive = os.environ.get("LIKENESS_ZIP")
    if archive is None:
        return ROOT
    folder = Path(tempfile.mkdtemp(prefix="likeness-"))
    zipfile.ZipFile(archive).extractall(folder)
    return folder


if "likeness" not in sys.modules:
    package = types.ModuleType("likeness")
    package.__path__ = [str(_source())]
    sys.modules["likeness"] = package

_status = 0


@pytest.fixture(scope="session", autouse=True)
def extension():
    """The extension registered for the whole run, with its entry in the preferences."""
    from likeness.blender_addon import registration

    bpy.context.preferences.addons.new().module = "likeness"
    registration.register()
    yield registration
    registration.unregister()


@pytest.fixture(autouse=True)
def empty_file():
    """Every test starts in an empty file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if "likeness" not in bpy.context.preferences.addons:
        bpy.context.preferences.addons.new().module = "likeness"


def pytest_sessionfinish(session, exitstatus):
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    folder = Path(sys.modules["likeness"].__path__[0])
    if folder != ROOT:
        shutil.rmtree(folder, ignore_errors=True)
    # Blender 4.5's wheel hangs while it frees its memory at exit.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)
