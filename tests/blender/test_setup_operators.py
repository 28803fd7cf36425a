"""The buttons that make, repair and remove the avatar engine's environment, and read its log."""

from __future__ import annotations

import bpy
import pytest
from likeness.blender_addon import environment, jobs
from likeness.blender_addon.programs import Programs, Step


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the environment would be."""
    monkeypatch.setattr(jobs, "user_folder", lambda: tmp_path)
    bpy.context.preferences.system.use_online_access = False
    yield tmp_path / "engine"
    jobs.close()


def chosen():
    return jobs.preferences(bpy.context)


def grey(name):
    """Why a button is grey."""
    kind = getattr(bpy.types, f"LIKENESS_OT_{name}")
    return kind.disabled_reason(bpy.context)


def test_offline_a_folder_of_packages_is_needed_and_enough(folder, tmp_path):
    assert "Online Access" in grey("set_up_engine") or "offline" in grey("set_up_engine")
    chosen().wheels = str(tmp_path)
    assert grey("set_up_engine") == ""
    with pytest.raises(RuntimeError, match="There are no packages"):
        bpy.ops.likeness.set_up_engine()
    assert not bpy.context.window_manager.likeness.running


def test_setting_up_says_what_went_wrong_and_keeps_the_log(folder, monkeypatch):
    chosen().wheels = "/anywhere"
    failing = Step("Downloading", ("python3", "-c", "print('ERROR: none'); raise SystemExit(1)"))
    programs = Programs([failing], environment.log_path(folder))
    monkeypatch.setattr(environment, "set_up", lambda *_: programs)
    with pytest.raises(RuntimeError, match="Downloading failed: ERROR: none"):
        bpy.ops.likeness.set_up_engine()
    assert bpy.ops.likeness.show_set_up_log() == {"FINISHED"}
    assert "ERROR: none" in bpy.data.texts["engine-setup.log"].as_string()


def test_an_environment_is_removed_whole_and_no_longer_used(folder):
    assert "not set up" in grey("remove_engine")
    assert "nothing to repair" in grey("repair_engine")
    python = environment.python_in(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    (folder / environment._STAMP).write_text(environment._digest())
    assert jobs.engine_python(bpy.context) == python
    assert "Repair" in grey("set_up_engine")
    assert bpy.ops.likeness.remove_engine() == {"FINISHED"}
    assert not folder.exists()
    assert jobs.engine_python(bpy.context) is None


def test_nothing_is_set_up_beside_a_python_that_the_user_has_chosen(folder):
    chosen().wheels = "/anywhere"
    chosen().engine_python = "/nowhere/python"
    assert "Another Python is chosen" in grey("set_up_engine")
    assert jobs.engine_python(bpy.context) is None
    chosen().engine_python = ""
    assert grey("set_up_engine") == ""


def test_an_environment_of_another_version_is_not_used_but_can_be_repaired(folder):
    python = environment.python_in(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    (folder / environment._STAMP).write_text("other pins")
    assert jobs.engine_python(bpy.context) is None
    chosen().wheels = "/anywhere"
    assert grey("repair_engine") == ""
