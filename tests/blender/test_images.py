"""Avatars from images in Blender, against an engine that speaks the protocol and learns nothing."""

from __future__ import annotations

import functools
import json
import sys

import bpy
import pytest
from likeness.blender_addon import avatar_object, character, jobs
from likeness.blender_addon.bridge import Engine
from likeness.engine.api.avatar_file import read_avatar, write_avatar
from likeness.engine.api.regression import REGRESSORS, RegressRequest
from likeness.engine.api.requests import parse

from tests.blender.synthetic import make_avatar

# Writes the prepared avatar where it is asked to; `told` is what it is asked.
FAKE_ENGINE = """
import json, shutil, sys
from pathlib import Path
here = Path(__file__).parents[1]
def say(**event):
    print(json.dumps(event), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    if ask["do"] != "regress":
        continue
    (here / "told.json").write_text(line)
    if "faceless" in ask["source"]:
        say(id=ask["id"], event="error", message="There is no face.", hint="Choose another.")
        continue
    if ask.get("preview"):
        shutil.copy(here / "result.likeness", ask["preview"])
        say(id=ask["id"], event="preview", path=ask["preview"])
    shutil.copy(here / "result.likeness", ask["output"])
    say(id=ask["id"], event="result", path=ask["output"], metrics={}, warnings=[])
"""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """The fake engine in place of ours, and three images."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    (tmp_path / "engine" / "__main__.py").write_text(FAKE_ENGINE)
    write_avatar(tmp_path / "result.likeness", make_avatar(seed=2))
    for name in ("anna.jpg", "anna 2.jpg", "faceless.jpg"):
        (tmp_path / name).touch()
    monkeypatch.setattr(jobs, "Engine", functools.partial(Engine, root=tmp_path))
    monkeypatch.setattr(jobs, "user_folder", lambda: tmp_path / "user")
    jobs.preferences(bpy.context).engine_python = sys.executable
    yield tmp_path
    jobs.close()


def pick(operator, folder, *names):
    return operator(directory=str(folder), files=[{"name": name} for name in names])


def told(folder):
    """The last request that the engine got, as the engine understands it."""
    fields = json.loads((folder / "told.json").read_text())
    return parse(RegressRequest, {k: v for k, v in fields.items() if k not in ("id", "do")})


def avatars():
    return [obj for obj in bpy.data.objects if avatar_object.is_avatar(obj)]


def test_images_become_an_avatar_in_the_scene(engine):
    bpy.context.scene.likeness_images.method = "fastavatar"
    found = pick(bpy.ops.likeness.create_from_images, engine, "anna.jpg", "anna 2.jpg")
    assert found == {"FINISHED"}
    assert [avatar_object.read(proxy).count for proxy in avatars()] == [2000]
    request = told(engine)
    assert request.method == "fastavatar"
    assert request.source == str(engine / "anna 2.jpg")  # by name
    assert request.more_sources == [str(engine / "anna.jpg")]
    assert [path.name for path in (engine / "user" / "avatars").iterdir()] == ["anna 2.likeness"]


def test_an_image_without_a_face_says_so_and_leaves_the_scene_alone(engine):
    with pytest.raises(RuntimeError, match="There is no face. Choose another."):
        pick(bpy.ops.likeness.create_from_images, engine, "faceless.jpg")
    assert not avatars()


def test_more_images_improve_the_same_object(engine):
    proxy = character.build(bpy.context, make_avatar(seed=1, gaussians=300))
    proxy.name = "Anna"
    proxy.location.x = 2
    bpy.context.view_layer.objects.active = proxy
    assert pick(bpy.ops.likeness.add_images, engine, "anna.jpg") == {"FINISHED"}
    (after,) = avatars()
    assert after.name == "Anna"
    assert after.location.x == 2
    assert avatar_object.read(after).count == 2000
    before = told(engine).add_to
    assert read_avatar(before).count == 300


def test_the_panel_offers_what_the_engine_has():
    names = bpy.types.Scene.bl_rna.properties  # the property group's class is registered
    assert "likeness_images" in names
    chosen = bpy.context.scene.likeness_images
    for name in REGRESSORS:
        chosen.method = name
        assert chosen.method == name
