"""What Create Avatar asks the engine for: the panel's choices, and what is refused at once."""

from __future__ import annotations

import bpy
import pytest
from likeness.blender_addon import creation
from likeness.engine.api.errors import LikenessError
from likeness.engine.api.requests import ReconstructRequest, changed, parse
from likeness.engine.api.settings import SHOULDERS, TrackSettings


@pytest.fixture
def footage(tmp_path):
    path = tmp_path / "anna.mp4"
    path.touch()
    bpy.context.scene.likeness.footage = str(path)
    return path


def asked(tmp_path):
    """The request, as the engine reads it."""
    request = parse(ReconstructRequest, creation.request(bpy.context, tmp_path / "user"))
    return request, changed(TrackSettings(), request.track)


def more():
    return bpy.context.scene.likeness_creation


def test_nothing_chosen_asks_for_the_engines_own_defaults(footage, tmp_path):
    request, track = asked(tmp_path)
    assert request.source == str(footage)
    assert request.output == str(tmp_path / "user" / "avatars" / "anna.likeness")
    assert track == TrackSettings()
    assert not request.online
    assert (request.more_sources, request.max_seconds, request.consent) == ([], 0, "")


def test_shoulders_matting_consent_and_the_limit_reach_the_engine(footage, tmp_path):
    network = tmp_path / "rvm.onnx"
    network.touch()
    more().shoulders, more().matting = "cut", str(network)
    more().limit, more().consent = 90, "by letter"
    request, track = asked(tmp_path)
    assert (track.shoulders, track.matting) == ("cut", str(network))
    assert (request.max_seconds, request.consent) == (90, "by letter")


def test_the_panel_offers_every_choice_for_shoulders():
    items = more().bl_rna.properties["shoulders"].enum_items
    assert tuple(item.identifier for item in items) == SHOULDERS


def test_several_clips_are_chosen_at_once_and_taken_away(footage, tmp_path):
    names = ["b.mp4", "c.mp4", "anna.mp4"]
    for name in names:
        (tmp_path / name).touch()
    files = [{"name": name} for name in names]
    assert bpy.ops.likeness.add_clips(directory=str(tmp_path), files=files) == {"FINISHED"}
    request, _ = asked(tmp_path)
    assert request.more_sources == [str(tmp_path / "b.mp4"), str(tmp_path / "c.mp4")]
    assert bpy.ops.likeness.add_clips(directory=str(tmp_path), files=files) == {"CANCELLED"}
    bpy.ops.likeness.remove_clip(index=0)
    assert [clip.path for clip in more().clips] == [str(tmp_path / "c.mp4")]
    with pytest.raises(RuntimeError, match="no clip 7"):
        bpy.ops.likeness.remove_clip(index=7)


def test_a_folder_is_footage_too_as_tracked_data_sets_are(tmp_path):
    folder = tmp_path / "nersemble"
    folder.mkdir()
    bpy.context.scene.likeness.footage = str(folder)
    more().data_camera, more().retrack = "222200037", True
    request, track = asked(tmp_path)
    assert request.source == str(folder)
    assert (track.camera, track.retrack) == ("222200037", True)


def test_a_camera_is_learned_from_live_for_as_long_as_is_said(tmp_path):
    bpy.context.scene.likeness.footage = "camera:0"
    more().live, more().live_seconds, more().polish_seconds = True, 30, 10
    request, _ = asked(tmp_path)
    assert (request.source, request.online, request.clip) == ("camera:0", True, "")
    assert (request.max_seconds, request.polish_seconds) == (40, 10)
    assert request.output.endswith("camera 0.likeness")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda scene: setattr(scene.likeness, "footage", "camera:0"), "Learn Live"),
        (lambda scene: setattr(scene.likeness, "footage", "/nowhere/a.mp4"), "/nowhere/a.mp4"),
        (lambda scene: setattr(scene.likeness_creation, "matting", "/nowhere/n.onnx"), "n.onnx"),
        (lambda scene: setattr(scene.likeness_creation, "matting", __file__), "matting network"),
        (lambda scene: setattr(scene.likeness_creation.clips.add(), "path", "/no/b.mp4"), "b.mp4"),
    ],
)
def test_what_cannot_be_is_said_before_the_engine_starts(footage, tmp_path, change, words):
    change(bpy.context.scene)
    with pytest.raises(LikenessError, match=words):
        creation.request(bpy.context, tmp_path / "user")
