"""The animator's tools: mirror, copy and paste, keyframes, poses as assets, examples."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from likeness.blender_addon import (
    actions,
    animation,
    avatar_object,
    character,
    examples,
    expression_words,
    pose,
    pose_library,
    sliders,
)
from likeness.engine.api.errors import LikenessError
from likeness.engine.api.head import HeadParams
from likeness.engine.api.poses import POSES
from likeness.engine.heads.builtin import builtin_head

from tests.blender.synthetic import NAMES, make_avatar, make_params
from tests.blender.test_character import posed_vertices


@pytest.fixture
def proxy():
    return character.build(bpy.context, make_avatar())


def values(proxy):
    return {key.name: key.value for key in pose.keys_in(proxy, "ALL")}


def set_values(proxy, **wanted):
    for name, value in wanted.items():
        proxy.data.shape_keys.key_blocks[name].value = value


def test_every_arkit_slider_says_what_it_does():
    words = {name: expression_words.words_for(name) for name in builtin_head().expression_names}
    assert len(words) == 52
    assert len(set(words.values())) == 52
    assert not any("maker named it" in text for text in words.values())
    assert "left" in words["mouthLeft"]
    assert "right" in words["eyeBlinkRight"]


def test_the_tooltip_of_a_slider_names_it_and_tells_what_it_does(proxy):
    operator = bpy.types.LIKENESS_OT_reset_slider

    class Properties:
        slider = "eyeBlinkLeft"

    text = operator.description(bpy.context, Properties)
    assert text.startswith("Eye Blink Left. Closes the left eyelids.")


def test_resetting_one_slider_leaves_the_others(proxy):
    set_values(proxy, jawOpen=0.5, eyeBlinkLeft=0.5)
    bpy.ops.likeness.reset_slider(slider="jawOpen")
    assert values(proxy)["jawOpen"] == 0
    assert values(proxy)["eyeBlinkLeft"] == 0.5
    with pytest.raises(RuntimeError, match="no slider 'jawShut'"):
        bpy.ops.likeness.reset_slider(slider="jawShut")


def test_mirroring_swaps_the_sides_of_a_region_and_leaves_the_others(proxy):
    set_values(proxy, eyeBlinkLeft=0.7, eyeLookInLeft=0.4, mouthSmileRight=0.3, jawOpen=0.5)
    bpy.ops.likeness.mirror_pose(region="EYES", way="SWAP")
    now = values(proxy)
    assert now["eyeBlinkRight"] == pytest.approx(0.7)
    assert now["eyeLookInRight"] == pytest.approx(0.4)
    assert now["eyeBlinkLeft"] == now["eyeLookInLeft"] == 0
    assert now["mouthSmileRight"] == pytest.approx(0.3)
    assert now["jawOpen"] == 0.5


def test_mirrored_bones_pose_the_mirror_image(proxy):
    """Reflected in x = 0, a turn (rx, ry, rz) in head axes is (rx, -ry, -rz); eyes change sides."""
    params = make_params(np.random.default_rng(3))
    names = avatar_object.read(proxy).head.expression_names
    zero = np.zeros(3, np.float32)
    still = HeadParams(
        np.zeros(len(names), np.float32), params.neck, params.jaw, params.eyes, zero, zero
    )
    animation.set_pose(proxy, still)
    bpy.ops.likeness.mirror_pose(region="HEAD", way="SWAP")
    found = posed_vertices(proxy)
    flip = np.array([1, -1, -1], np.float32)
    mirror_image = HeadParams(
        still.expression,
        params.neck * flip,
        params.jaw * flip,
        params.eyes[::-1] * flip,
        zero,
        zero,
    )
    animation.set_pose(proxy, mirror_image)
    np.testing.assert_allclose(found, posed_vertices(proxy), atol=2e-6)


def test_mirroring_twice_is_nothing(proxy):
    animation.set_pose(proxy, make_params(np.random.default_rng(4)))
    before = pose.read(proxy)
    for _ in range(2):
        bpy.ops.likeness.mirror_pose()
    after = pose.read(proxy)
    assert after.sliders == pytest.approx(before.sliders, abs=1e-6)
    for name, turn in before.bones.items():
        assert abs(np.dot(turn, after.bones[name])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("way", "blink"), [("Left", 0.7), ("Right", 0.2)])
def test_copying_one_side_makes_the_face_symmetric_and_the_gaze_straight(proxy, way, blink):
    set_values(proxy, eyeBlinkLeft=0.7, eyeBlinkRight=0.2, eyeLookOutLeft=0.5, jawOpen=0.4)
    bpy.ops.likeness.mirror_pose(way=way)
    now = values(proxy)
    assert now["eyeBlinkLeft"] == now["eyeBlinkRight"] == pytest.approx(blink)
    assert now["eyeLookOutLeft"] == now["eyeLookOutRight"] == now["eyeLookInRight"] == 0
    assert now["jawOpen"] == pytest.approx(0.4)


def test_a_copied_pose_goes_to_another_avatar_and_says_what_it_lacks(proxy):
    set_values(proxy, mouthSmileLeft=0.6, jawOpen=0.25)
    proxy.find_armature().pose.bones["neck"].rotation_quaternion = (0.9, 0.1, 0.3, 0.2)
    text = pose.to_text(pose.read(proxy))
    document = json.loads(text)
    document["sliders"]["earWiggle"] = 1.0
    other = character.build(bpy.context, make_avatar(seed=4))
    assert pose.apply(other, pose.from_text(json.dumps(document))) == ["earWiggle"]
    assert values(other) == pytest.approx(values(proxy), abs=1e-4)
    turn = other.find_armature().pose.bones["neck"].matrix_basis.to_quaternion()
    expected = proxy.find_armature().pose.bones["neck"].matrix_basis.to_quaternion()
    assert abs(turn.dot(expected)) == pytest.approx(1, abs=1e-5)


def test_pasting_takes_only_the_region_and_can_mirror(proxy):
    text = pose.to_text(pose.PoseData({"mouthSmileLeft": 0.6, "eyeBlinkLeft": 0.9}))
    bpy.ops.likeness.paste_pose(text=text, region="MOUTH", mirrored=True)
    now = values(proxy)
    assert now["mouthSmileRight"] == pytest.approx(0.6)
    assert now["mouthSmileLeft"] == now["eyeBlinkLeft"] == now["eyeBlinkRight"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "null",
        "{" * 100_000,
        '{"format": "likeness pose", "version": 1}',
        '{"format": "likeness pose", "version": 1, "sliders": {"jawOpen": "NaN"}}',
        '{"format": "likeness pose", "version": 1, "sliders": {}, "bones": {"neck": [1, 0]}}',
        '{"format": "likeness pose", "version": 9, "sliders": {}}',
    ],
)
def test_any_other_text_is_refused_in_words(proxy, text):
    with pytest.raises(LikenessError, match="holds no pose|newer version"):
        pose.from_text(text)
    if text:
        with pytest.raises(RuntimeError, match="holds no pose|newer version"):
            bpy.ops.likeness.paste_pose(text=text)


def test_keyframing_a_region_keys_it_alone_on_one_action_with_two_slots(proxy):
    bpy.context.scene.frame_set(7)
    set_values(proxy, eyeBlinkLeft=0.5)
    bpy.ops.likeness.key_pose(region="EYES")
    keys = proxy.data.shape_keys
    keyed = {c.data_path for c in actions.curves_of(keys.animation_data.action, "KEY")}
    assert keyed == {actions.shape_path(key.name) for key in sliders.keys_of(proxy, "EYES")}
    bpy.ops.likeness.key_pose(region="HEAD")
    rig = proxy.find_armature()
    assert rig.animation_data.action == keys.animation_data.action
    assert len(list(actions.curves_of(rig.animation_data.action, "OBJECT"))) == 4 * 4
    set_values(proxy, eyeBlinkLeft=0.0)
    bpy.context.scene.frame_set(8)
    bpy.context.scene.frame_set(7)
    assert values(proxy)["eyeBlinkLeft"] == 0.5
    assert bpy.ops.likeness.unkey_pose(region="EYES") == {"FINISHED"}
    assert not list(actions.curves_of(rig.animation_data.action, "KEY"))
    assert bpy.ops.likeness.unkey_pose(region="EYES") == {"CANCELLED"}


def test_auto_keying_keys_what_a_pose_changes(proxy):
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    bpy.context.scene.frame_set(3)
    bpy.ops.likeness.apply_pose(pose="blink")
    curves = actions.curves_of(proxy.data.shape_keys.animation_data.action, "KEY")
    curve = next(c for c in curves if "eyeBlinkLeft" in c.data_path)
    assert [tuple(p.co) for p in curve.keyframe_points] == [(3.0, 1.0)]


def test_a_viseme_leaves_the_eyes_alone_and_neutral_clears_the_face(proxy):
    set_values(proxy, eyeBlinkLeft=0.5, mouthSmileLeft=0.5, **{"reduced.00": 0.3})
    bpy.ops.likeness.apply_pose(pose="AA")
    now = values(proxy)
    assert now["eyeBlinkLeft"] == 0.5
    assert now["mouthSmileLeft"] == 0
    assert now["jawOpen"] == pytest.approx(POSES["AA"].values["jawOpen"])
    bpy.ops.likeness.apply_pose(pose="neutral")
    now = values(proxy)
    assert now.pop("reduced.00") == pytest.approx(0.3)
    assert not any(now.values())


def test_strength_goes_part_of_the_way_and_undo_takes_it_back(proxy):
    bpy.ops.ed.undo_push(message="built")
    bpy.ops.likeness.apply_pose("EXEC_DEFAULT", True, pose="winkLeft", strength=0.25)
    assert values(proxy)["eyeBlinkLeft"] == pytest.approx(0.25)
    bpy.ops.ed.undo()
    assert values(bpy.data.objects["Ball"])["eyeBlinkLeft"] == 0


def test_the_built_in_poses_become_assets_once_with_pictures_of_the_avatar(proxy):
    assert bpy.ops.likeness.make_pose_assets() == {"FINISHED"}
    found = list(pose_library.saved(bpy.data))
    assert len(found) == len(POSES)
    surprise = bpy.data.actions["Surprise"]
    assert surprise.asset_data.tags.keys() == ["Likeness", "Emotions"]
    assert {slot.target_id_type for slot in surprise.slots} == {"KEY"}
    assert surprise.frame_range[0] == surprise.frame_range[1] == 1
    pixels = np.zeros(surprise.preview.image_size[0] ** 2 * 4, np.float32)
    surprise.preview.image_pixels_float.foreach_get(pixels)
    assert np.ptp(pixels.reshape(-1, 4)[:, 0]) > 0.3
    assert bpy.ops.likeness.make_pose_assets() == {"CANCELLED"}
    assert len(list(pose_library.saved(bpy.data))) == len(POSES)


def test_a_kept_pose_comes_back_with_its_bones_on_another_avatar(proxy, tmp_path):
    set_values(proxy, mouthSmileLeft=0.6)
    rig = proxy.find_armature()
    rig.pose.bones["jaw"].rotation_quaternion = (0.9, 0.3, 0.2, 0.1)
    bpy.ops.likeness.add_pose(name="Grin")
    action = bpy.data.actions["Grin"]
    assert {slot.target_id_type for slot in action.slots} == {"KEY", "OBJECT"}
    path = str(tmp_path / "poses.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    other = character.build(bpy.context, make_avatar(seed=9))
    bpy.ops.likeness.apply_pose(pose="Grin")
    assert values(other)["mouthSmileLeft"] == pytest.approx(0.6)
    turn = other.find_armature().pose.bones["jaw"].matrix_basis.to_quaternion()
    expected = np.array([0.9, 0.3, 0.2, 0.1]) / np.linalg.norm([0.9, 0.3, 0.2, 0.1])
    assert abs(np.dot(turn, expected)) == pytest.approx(1, abs=1e-5)
    assert bpy.ops.likeness.remove_pose(pose="Grin") == {"FINISHED"}
    assert not list(pose_library.saved(bpy.data))


@pytest.mark.parametrize("kind", examples.EXAMPLES)
def test_an_example_moves_the_face_and_loops_close(proxy, kind):
    scene = bpy.context.scene
    bpy.ops.likeness.add_example(kind=kind)
    action = proxy.data.shape_keys.animation_data.action
    assert action.asset_data is not None
    first, last = action.frame_range
    seen = []
    for frame in range(int(first), int(last) + 1):
        scene.frame_set(frame)
        seen.append([values(proxy)[name] for name in NAMES])
    assert np.ptp(seen, axis=0).max() > 0.3
    blink = np.array(seen)[:, NAMES.index("eyeBlinkLeft")]
    assert blink.max() <= 1.0
    if kind != "TALK":
        assert blink.max() > 0.9
        scene.frame_set(int(first) + 30)
        before = values(proxy)
        scene.frame_set(int(first) + 30, subframe=0.0)
        scene.frame_set(int(round(first + 30 + (last - first))))
        assert values(proxy) == pytest.approx(before, abs=0.02)


def test_head_motion_can_be_replaced_without_the_face(proxy):
    animation.add_performance(bpy.context.scene, proxy)
    performance = proxy.likeness.action
    bpy.ops.likeness.add_example(kind="IDLE")
    bpy.ops.likeness.apply_performance(part="FACE")
    rig, keys = proxy.find_armature(), proxy.data.shape_keys
    assert keys.animation_data.action == performance
    assert rig.animation_data.action.name == "Idle Loop"


@pytest.mark.parametrize(
    "name", ["apply_pose", "add_pose", "mirror_pose", "copy_pose", "paste_pose", "key_pose"]
)
def test_the_tools_say_that_they_need_an_avatar(name):
    with pytest.raises(RuntimeError, match="Select an avatar first"):
        getattr(bpy.ops.likeness, name)()
