"""A recorded motion on an avatar: calibration, limits, Actions, and a video that drives it."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys

import bpy
import numpy as np
import pytest
from likeness.blender_addon import character, jobs, retarget
from likeness.blender_addon.bridge import Engine
from likeness.blender_addon.motion import Motion
from likeness.engine.api.rotations import rotvec_from_matrix
from likeness.engine.heads.head_file import write_head

from tests.blender.synthetic import NAMES, make_avatar, make_head
from tests.blender.test_capture import row, write_csv

FREE = retarget.RetargetSettings(neutral="NONE", clamp=False)


@pytest.fixture
def proxy():
    return character.build(bpy.context, make_avatar())


@pytest.fixture
def take(tmp_path):
    """Half a second at 60 frames a second: the jaw drops evenly."""
    rows = [row(f"00:00:00:{30 + i:02d}", JawOpen=i / 30) for i in range(30)]
    return write_csv(tmp_path / "take.csv", *rows)


def learned(highest):
    """An avatar whose footage showed jawOpen from 0 to `highest`, everything else up to 1."""
    avatar = make_avatar(frames=200)
    params = avatar.performance.params
    expression = np.tile(np.linspace(0, 1, 200, dtype=np.float32)[:, None], (1, len(NAMES)))
    expression[:, NAMES.index("jawOpen")] *= highest
    params = dataclasses.replace(params, expression=expression)
    return dataclasses.replace(
        avatar, performance=dataclasses.replace(avatar.performance, params=params)
    )


def test_the_sources_rest_becomes_neutral_and_its_full_stays_full():
    values = np.concatenate([np.full(30, 0.25), [0.25, 0.625, 1.0]])
    motion = Motion(np.arange(33) / 30, {"jawOpen": values, "eyeLookUpLeft": values})
    settings = retarget.RetargetSettings(clamp=False)
    curves = retarget.retarget(motion, make_avatar(), settings)
    np.testing.assert_allclose(curves["jawOpen"][-3:], [0, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(curves["eyeLookUpLeft"], values)  # a gaze has no rest


def test_nothing_goes_beyond_what_the_avatar_learned():
    motion = Motion(np.arange(3), {"jawOpen": np.array([0.0, 0.3, 0.9])})
    settings = retarget.RetargetSettings(neutral="NONE")
    curves = retarget.retarget(motion, learned(0.4), settings)
    np.testing.assert_allclose(curves["jawOpen"], [0, 0.3, 0.4], atol=5e-3)
    free = retarget.retarget(motion, learned(0.4), FREE)
    np.testing.assert_allclose(free["jawOpen"], [0, 0.3, 0.9])


def test_strength_is_by_region():
    values = {name: np.array([0.4, 0.4]) for name in ("jawOpen", "eyeBlinkLeft")}
    settings = dataclasses.replace(FREE, strengths={"EYES": 2.0, "JAW": 0.5})
    curves = retarget.retarget(Motion(np.arange(2), values), make_avatar(), settings)
    np.testing.assert_allclose(curves["eyeBlinkLeft"], 0.8)
    np.testing.assert_allclose(curves["jawOpen"], 0.2)


def test_a_capture_becomes_an_action_at_the_scenes_rate(proxy, take):
    bpy.context.scene.render.fps = 60
    bpy.context.scene.frame_start = 100
    assert bpy.ops.likeness.import_capture(filepath=str(take), neutral="NONE", clamp=False) == {
        "FINISHED"
    }
    keys = proxy.data.shape_keys
    assert keys.animation_data.action.name == "take"
    bpy.context.scene.frame_set(115)
    assert keys.key_blocks["jawOpen"].value == pytest.approx(0.5, abs=1e-5)
    rig = proxy.find_armature()
    assert rig.animation_data is None or rig.animation_data.action is None


def test_head_motion_turns_the_neck_relative_to_how_the_head_was_held(proxy, tmp_path):
    yaws = [0.2, 0.2, 0.2, 0.6]
    rows = [row(f"00:00:00:{i:02d}", HeadYaw=yaw) for i, yaw in enumerate(yaws)]
    bpy.ops.likeness.import_capture(filepath=str(write_csv(tmp_path / "a.csv", *rows)), head=0.5)
    rate = bpy.context.scene.render.fps / 24  # the file's frames are counted at 24
    turned = []
    for frame in (0, 3):
        bpy.context.scene.frame_set(1, subframe=0)
        at = 1 + frame * rate
        bpy.context.scene.frame_set(int(at), subframe=at - int(at))
        bone = proxy.find_armature().pose.bones["neck"]
        rest = bone.bone.matrix_local.to_3x3()
        turned.append(rotvec_from_matrix(np.array(bone.matrix.to_3x3() @ rest.inverted())))
    np.testing.assert_allclose(turned[0], 0, atol=1e-5)
    np.testing.assert_allclose(turned[1], [0, 0, -0.2], atol=1e-4)  # Blender's z is up


def test_the_scenes_own_table_names_what_a_preset_does_not_know(proxy, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("time,gape,wiggle\n0,0,0\n1,0.5,1\n")
    with pytest.raises(RuntimeError, match="no expression that is known"):
        bpy.ops.likeness.import_capture(filepath=str(path))
    bpy.ops.likeness.new_name_table(preset="VISEMES")
    table = bpy.context.scene.likeness.name_table
    assert "viseme_aa" in table.as_string()
    table.clear()
    table.write('{"gape": {"jawOpen": 2.0}}')
    bpy.ops.likeness.import_capture(filepath=str(path), neutral="NONE", clamp=False)
    bpy.context.scene.frame_set(1 + bpy.context.scene.render.fps)
    assert proxy.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(1.0)


TRACKER = """
import json, shutil, sys
from pathlib import Path
here = Path(__file__).parents[1]
for line in sys.stdin:
    ask = json.loads(line)
    if ask["do"] == "track":
        (here / "told.json").write_text(line)
        shutil.copytree(here / "clip", ask["output"], dirs_exist_ok=True)
        print(json.dumps({"id": ask["id"], "event": "result", "path": ask["output"]}), flush=True)
"""


@pytest.fixture
def tracker(tmp_path, monkeypatch):
    """An engine that has tracked a clip of another head already: smiling more each frame."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    (tmp_path / "engine" / "__main__.py").write_text(TRACKER)
    clip = tmp_path / "clip"
    clip.mkdir()
    write_head(clip / "head.npz", make_head(np.random.default_rng(8)))
    expression = np.zeros((6, len(NAMES)), np.float32)
    expression[:, NAMES.index("mouthSmileLeft")] = np.arange(6) / 10
    turn = np.zeros((6, 3), np.float32)
    confidence = np.array([1, 1, 0, 1, 1, 1], np.float32)
    np.savez(
        clip / "tracking.npz",
        expression=expression,
        neck=turn,
        rotation=turn,
        confidence=confidence,
        times=np.arange(6) / 25,
    )
    (tmp_path / "actor.mp4").touch()
    monkeypatch.setattr(jobs, "Engine", functools.partial(Engine, root=tmp_path))
    jobs.preferences(bpy.context).engine_python = sys.executable
    yield tmp_path
    jobs.close()


def test_another_video_drives_the_avatar(tracker, proxy):
    bpy.context.scene.render.fps = 25
    path = str(tracker / "actor.mp4")
    assert bpy.ops.likeness.drive_from_video(filepath=path, neutral="FIRST", clamp=False) == {
        "FINISHED"
    }
    asked = json.loads((tracker / "told.json").read_text())
    assert asked["source"] == path
    assert asked["settings"] == {"fast_matte": True}
    action = proxy.data.shape_keys.animation_data.action
    assert action.name == "Ball from actor"
    for index in (0, 2, 5):  # the lost frame 2 is bridged
        bpy.context.scene.frame_set(1 + index)
        smile = proxy.data.shape_keys.key_blocks["mouthSmileLeft"].value
        assert smile == pytest.approx(index / 10, abs=1e-5)


def test_a_missing_video_and_a_missing_avatar_are_said_at_once(tracker, proxy):
    with pytest.raises(RuntimeError, match="no footage at"):
        bpy.ops.likeness.drive_from_video(filepath=str(tracker / "none.mp4"))
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="Select an avatar"):
        bpy.ops.likeness.drive_from_video(filepath=str(tracker / "actor.mp4"))
