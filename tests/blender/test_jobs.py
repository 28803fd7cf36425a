"""Making an avatar from Blender, against an engine that speaks the protocol and learns nothing."""

from __future__ import annotations

import functools
import json
import os
import sys
import time

import bpy
import pytest
from likeness.blender_addon import (
    avatar_object,
    character,
    compositing,
    creation,
    jobs,
    payload,
    unfinished,
)
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
        if mode not in ("work", "slow", "show"):
            continue
        shutil.copy(here / "preview.likeness", ask["preview"])
        picture = Path(ask["preview"]).with_suffix(".png")
        picture.touch()
        say(id=ask["id"], event="preview", path=ask["preview"], picture=str(picture))
        if mode == "show":
            (Path(ask["output"]).parent / ".clip.unfinished").mkdir(exist_ok=True)
            continue
        say(id=ask["id"], event="report", sheet=str(here / "sheet.png"), findings=[
            dict(name="mouth_closed", severity="serious", words="the mouth never opens",
                 advice="Talk.")])
        say(id=ask["id"], event="progress", stage="Fitting", fraction=0.5, seconds_left=9.0)
        time.sleep(5 if mode == "slow" else 0.1)
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
    bpy.context.scene.likeness.preset = "draft"

    def choose(mode):
        (tmp_path / "mode").write_text(mode)
        return tmp_path

    yield choose
    jobs.close()


def until(arrived):
    """Poll as Blender's timer does until something has arrived."""
    deadline = time.monotonic() + 20
    while not arrived() and time.monotonic() < deadline:
        jobs._poll()
        time.sleep(0.01)
    assert arrived()


def told(folder):
    """The last request that the engine got."""
    return json.loads((folder / "told.json").read_text())


def avatars():
    return [obj for obj in bpy.data.objects if avatar_object.is_avatar(obj)]


def test_create_avatar_brings_the_result_into_the_scene(engine):
    folder = engine("work")
    assert bpy.ops.likeness.create_avatar() == {"FINISHED"}
    avatars = [obj for obj in bpy.data.objects if avatar_object.is_avatar(obj)]
    assert len(avatars) == 1
    assert avatar_object.read(avatars[0]).count == 2000
    assert "30.2 dB" in bpy.context.window_manager.likeness.notice
    assert [path.name for path in (folder / "user" / "avatars").iterdir()] == ["clip.likeness"]


def test_the_preview_is_in_the_scene_before_the_result_and_is_the_same_object(engine):
    engine("slow")
    jobs.create_avatar(bpy.context)
    until(avatars)
    (proxy,) = avatars()
    assert avatar_object.read(proxy).count == 300
    proxy.name = "Renamed"
    jobs.wait(bpy.context)
    assert avatar_object.read(bpy.data.objects["Renamed"]).count == 2000
    assert len(avatar_object._carriers) == len(payload._loaded) == 1  # the preview's are gone


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
    until(lambda: job.stage == "Tracking")
    jobs.cancel()
    jobs.wait(bpy.context)
    assert job.error == ""
    assert not bpy.data.objects


def scene_state():
    """What a preview changes in the scene besides its own objects."""
    scene = bpy.context.scene
    names = ("resolution_x", "resolution_y", "resolution_percentage", "fps", "fps_base")
    render = [getattr(scene.render, name) for name in names]
    frames = scene.frame_start, scene.frame_end, scene.frame_current
    data = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "actions")}
    return render, frames, scene.camera, compositing.is_set_up(scene), len(bpy.data.scenes), data


def test_cancelling_takes_the_preview_back_and_gives_the_scene_what_it_had(engine):
    folder = engine("show")
    bpy.context.scene.frame_end, bpy.context.scene.render.fps = 77, 30
    before = scene_state()
    jobs.create_avatar(bpy.context)
    until(avatars)
    assert scene_state() != before
    bpy.ops.object.mode_set(mode="EDIT")
    jobs.cancel()
    jobs.wait(bpy.context)
    assert scene_state() == before
    assert [path.name for path in (folder / "user" / "avatars").iterdir()] == [".clip.unfinished"]


def test_cancelling_the_refit_of_another_avatar_leaves_that_one(engine):
    engine("show")
    character.build(bpy.context, make_avatar(gaussians=200))
    jobs.create_avatar(bpy.context)
    until(lambda: len(avatars()) == 2)
    jobs.cancel()
    jobs.wait(bpy.context)
    assert [avatar_object.read(obj).count for obj in avatars()] == [200]


def test_what_was_cancelled_is_gone_on_with_by_the_same_request(engine):
    folder = engine("show")
    assert not bpy.ops.likeness.resume_avatar.poll()
    bpy.context.scene.likeness_creation.shoulders = "cut"
    jobs.create_avatar(bpy.context)
    until(avatars)
    asked = told(folder)
    jobs.cancel()
    jobs.wait(bpy.context)
    bpy.ops.wm.read_homefile(use_empty=True)  # another file
    jobs.preferences(bpy.context).engine_python = sys.executable
    engine("work")
    assert unfinished.find(folder / "user").label == "clip.mp4, draft"
    assert bpy.ops.likeness.resume_avatar() == {"FINISHED"}
    assert told(folder) | {"id": 0} == asked | {"id": 0}
    assert len(avatars()) == 1
    assert not bpy.ops.likeness.resume_avatar.poll()


def test_what_is_unfinished_can_be_discarded_and_old_work_is_swept(engine):
    folder = engine("show")
    jobs.create_avatar(bpy.context)
    until(avatars)
    jobs.cancel()
    jobs.wait(bpy.context)
    work = folder / "user" / "avatars" / ".clip.unfinished"
    assert work.is_dir()
    assert bpy.ops.likeness.discard_unfinished() == {"FINISHED"}
    assert not work.exists()
    assert not bpy.ops.likeness.discard_unfinished.poll()
    old = work.with_name(".other.unfinished")
    old.mkdir()
    os.utime(old, (0, 0))
    creation.request(bpy.context, folder / "user")
    assert not old.exists()


def test_a_failure_without_anything_learned_offers_nothing_to_resume(engine):
    engine("fail")
    with pytest.raises(RuntimeError, match="no face"):
        bpy.ops.likeness.create_avatar()
    assert not bpy.ops.likeness.resume_avatar.poll()


@pytest.mark.parametrize("words", ["", "[]", '{"source": 3}', '{"source": "/x", "output": 1}'])
def test_a_damaged_note_of_unfinished_work_offers_nothing(tmp_path, words):
    (tmp_path / unfinished.FILE).write_text(words)
    assert unfinished.find(tmp_path) is None


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
