"""Making an avatar from Blender, against an engine that speaks the protocol and learns nothing."""

from __future__ import annotations

import functools
import sys
import time

import bpy
import pytest
from likeness.blender_addon import avatar_object, jobs
from likeness.blender_addon.bridge import Engine
from likeness.engine.api.avatar_file import write_avatar

from tests.blender.synthetic import make_avatar

# Copies prepared files to where it is asked to write; `told` is what it is asked.
FAKE_ENGINE = """
import json, shutil, sys, time
from pathlib import Path
here = Path(__file__).parents[1]
def say(**event):
    print(json.dumps(event), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    (here / "told.json").write_text(line)
    if ask["do"] == "cancel":
        say(id=ask["id"], event="cancelled")
    elif ask["do"] == "reconstruct":
        mode = (here / "mode").read_text()
        say(id=ask["id"], event="progress", stage="Tracking", fraction=0.1, seconds_left=None)
        if mode == "fail":
            say(id=ask["id"], event="error", message="There is no face.", hint="Film one.")
        if mode == "die":
            sys.exit(3)
        if mode != "work":
            continue
        shutil.copy(here / "preview.likeness", ask["preview"])
        say(id=ask["id"], event="preview", path=ask["preview"])
        say(id=ask["id"], event="report", sheet=str(here / "sheet.png"), findings=[
            dict(name="mouth_closed", severity="serious", words="the mouth never opens",
                 advice="Talk.")])
        say(id=ask["id"], event="progress", stage="Fitting", fraction=0.5, seconds_left=9.0)
        time.sleep(0.5)
        shutil.copy(here / "result.likeness", ask["output"])
        say(id=ask["id"], event="result", path=ask["output"], metrics={"psnr": 30.25}, warnings=[])
"""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """The fake engine in place of ours; call it with the mode it shall work in."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    (tmp_path / "engine" / "__main__.py").write_text(FAKE_ENGINE)
    write_avatar(tmp_path / "preview.likeness", make_avatar(seed=1, gaussians=300))
    write_avatar(tmp_path / "result.likeness", make_avatar(seed=2))
    (tmp_path / "clip.mp4").touch()
    monkeypatch.setattr(jobs, "Engine", functools.partial(Engine, root=tmp_path))
    monkeypatch.setattr(jobs, "user_folder", lambda: tmp_path / "user")
    jobs.preferences(bpy.context).engine_python = sys.executable
    bpy.context.scene.likeness.footage = str(tmp_path / "clip.mp4")

    def choose(mode):
        (tmp_path / "mode").write_text(mode)
        return tmp_path

    yield choose
    jobs.close()


def test_create_avatar_brings_the_result_into_the_scene(engine):
    folder = engine("work")
    assert bpy.ops.likeness.create_avatar() == {"FINISHED"}
    avatars = [obj for obj in bpy.data.objects if avatar_object.is_avatar(obj)]
    assert len(avatars) == 1
    assert avatar_object.read(avatars[0]).count == 2000
    assert "30.2 dB" in bpy.context.window_manager.likeness.notice
    assert [path.name for path in (folder / "user" / "avatars").iterdir()] == ["clip.likeness"]


def test_the_preview_is_in_the_scene_before_the_result_and_is_the_same_object(engine):
    engine("work")
    jobs.create_avatar(bpy.context)
    deadline = time.monotonic() + 10
    while not bpy.data.objects and time.monotonic() < deadline:
        jobs._poll()
    proxy = next(obj for obj in bpy.data.objects if avatar_object.is_avatar(obj))
    assert avatar_object.read(proxy).count == 300
    proxy.name = "Renamed"
    jobs.wait(bpy.context)
    assert avatar_object.read(bpy.data.objects["Renamed"]).count == 2000


@pytest.mark.parametrize(("mode", "words"), [("fail", "no face. Film one"), ("die", "stopped")])
def test_a_failed_job_says_why_and_adds_nothing(engine, mode, words):
    engine(mode)
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.likeness.create_avatar()
    assert not bpy.data.objects
    assert not bpy.context.window_manager.likeness.running


def test_cancelling_ends_the_job_without_an_error(engine):
    engine("hang")
    jobs.create_avatar(bpy.context)
    job = bpy.context.window_manager.likeness
    deadline = time.monotonic() + 10
    while job.stage != "Tracking" and time.monotonic() < deadline:
        jobs._poll()
    jobs.cancel()
    jobs.wait(bpy.context)
    assert job.error == ""
    assert not bpy.data.objects


def test_opening_another_file_ends_the_job(engine):
    engine("hang")
    jobs.create_avatar(bpy.context)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert not bpy.context.window_manager.likeness.running
    assert not bpy.app.timers.is_registered(jobs._tick)


def test_what_the_footage_lacks_is_told_and_its_sheet_can_be_looked_at(engine):
    folder = engine("work")
    bpy.ops.likeness.create_avatar()
    report = bpy.context.window_manager.likeness_footage
    assert [(f.severity, f.advice) for f in report.findings] == [("serious", "Talk.")]
    assert not bpy.ops.likeness.open_sheet.poll()  # the engine has written none
    sheet = bpy.data.images.new("sheet", 4, 4)
    sheet.filepath_raw, sheet.file_format = str(folder / "sheet.png"), "PNG"
    sheet.save()
    bpy.data.images.remove(sheet)
    assert bpy.ops.likeness.open_sheet() == {"FINISHED"}
    assert [image.name for image in bpy.data.images if image.source == "FILE"] == ["sheet.png"]
    engine("fail")
    with pytest.raises(RuntimeError, match="no face"):
        bpy.ops.likeness.create_avatar()
    assert not report.told


def test_missing_footage_is_said_before_anything_starts(engine):
    engine("work")
    bpy.context.scene.likeness.footage = "/nowhere/clip.mp4"
    with pytest.raises(RuntimeError, match="no footage at /nowhere/clip.mp4"):
        bpy.ops.likeness.create_avatar()
