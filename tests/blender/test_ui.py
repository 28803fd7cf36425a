"""Registration, operators and panels: what they do, and what they say when they cannot."""

from __future__ import annotations

import bpy
import pytest
from likeness.blender_addon import avatar_object, character, sliders
from likeness.engine.api.avatar_file import write_avatar
from mathutils import Vector

from tests.blender.synthetic import NAMES, make_avatar


@pytest.fixture
def proxy():
    return character.build(bpy.context, make_avatar())


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ball.likeness"
    write_avatar(path, make_avatar())
    return path


def test_registering_again_after_unregistering_works(extension):
    extension.unregister()
    assert not hasattr(bpy.types.Object, "likeness")
    extension.register()
    assert hasattr(bpy.types.Object, "likeness")


def test_importing_adds_an_animated_avatar_and_its_camera(file):
    assert bpy.ops.likeness.import_avatar(filepath=str(file)) == {"FINISHED"}
    proxy = bpy.context.object
    assert avatar_object.is_avatar(proxy)
    assert bpy.context.scene.camera == proxy.likeness.camera
    assert proxy.data.shape_keys.animation_data.action == proxy.likeness.action
    assert bpy.context.scene.frame_end == 12


def test_importing_can_leave_the_scene_alone(file):
    bpy.context.scene.frame_end = 77
    bpy.ops.likeness.import_avatar(filepath=str(file), performance=False, match_scene=False)
    assert bpy.context.scene.frame_end == 77
    assert bpy.context.scene.camera is None
    assert bpy.context.object.data.shape_keys.animation_data is None


def test_a_new_avatar_stands_on_the_floor_in_front_of_what_is_at_the_origin(file):
    bpy.ops.mesh.primitive_cube_add(size=2)
    bpy.ops.likeness.import_avatar(filepath=str(file), performance=False)
    proxy = bpy.context.object
    corners = [proxy.matrix_world @ Vector(corner) for corner in proxy.bound_box]
    assert -1.5 < max(corner.y for corner in corners) < -1.0
    assert min(corner.z for corner in corners) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut short"])
def test_a_bad_file_is_reported_and_adds_nothing(tmp_path, content):
    path = tmp_path / "bad.likeness"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match="bad.likeness"):
        bpy.ops.likeness.import_avatar(filepath=str(path))
    assert len(bpy.data.objects) == len(bpy.data.meshes) == 0


def test_a_truncated_avatar_is_reported_and_adds_nothing(file):
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(RuntimeError, match="ball.likeness"):
        bpy.ops.likeness.import_avatar(filepath=str(file))
    assert len(bpy.data.objects) == 0


def test_every_key_has_exactly_one_region(proxy):
    found = [key.name for region, _ in sliders.REGIONS for key in sliders.keys_of(proxy, region)]
    assert sorted(found) == sorted([*NAMES, "reduced.00", "reduced.01", "reduced.02"])


def test_resetting_a_region_leaves_the_others(proxy):
    keys = proxy.data.shape_keys.key_blocks
    keys["jawOpen"].value = keys["eyeBlinkLeft"].value = keys["reduced.00"].value = 0.5
    bpy.ops.likeness.reset_sliders(region="JAW")
    assert [keys[n].value for n in ("jawOpen", "eyeBlinkLeft", "reduced.00")] == [0, 0.5, 0.5]
    proxy.find_armature().pose.bones["neck"].rotation_quaternion = (0, 1, 0, 0)
    bpy.ops.likeness.reset_sliders(region="ALL")
    assert [keys[n].value for n in ("jawOpen", "eyeBlinkLeft", "reduced.00")] == [0, 0, 0]
    assert tuple(proxy.find_armature().pose.bones["neck"].rotation_quaternion) == (1, 0, 0, 0)


def test_resetting_is_undone_by_one_undo(proxy):
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 0.5
    bpy.ops.ed.undo_push(message="posed")
    bpy.ops.likeness.reset_sliders("EXEC_DEFAULT", True)
    bpy.ops.ed.undo()
    assert bpy.data.objects["Ball"].data.shape_keys.key_blocks["jawOpen"].value == 0.5


def test_keys_on_top_of_the_layered_performance_win_and_the_rest_plays_on(file):
    bpy.ops.likeness.import_avatar(filepath=str(file))
    proxy = bpy.context.object
    keys = proxy.data.shape_keys.key_blocks
    bpy.context.scene.frame_set(5)
    played = {name: keys[name].value for name in NAMES}
    assert bpy.ops.likeness.layer_performance() == {"FINISHED"}
    keys["jawOpen"].value = 0.125
    keys["jawOpen"].keyframe_insert("value", frame=5)
    bpy.context.scene.frame_set(9)
    bpy.context.scene.frame_set(5)
    assert keys["jawOpen"].value == pytest.approx(0.125)
    for name in set(NAMES) - {"jawOpen"}:
        assert keys[name].value == pytest.approx(played[name], abs=1e-5)


def test_a_cleared_performance_can_be_used_again(file):
    bpy.ops.likeness.import_avatar(filepath=str(file))
    proxy = bpy.context.object
    bpy.context.scene.frame_set(5)
    value = proxy.data.shape_keys.key_blocks["jawOpen"].value
    bpy.ops.likeness.clear_performance()
    bpy.context.scene.frame_set(6)
    assert proxy.data.shape_keys.key_blocks["jawOpen"].value == 0
    bpy.ops.likeness.apply_performance()
    bpy.context.scene.frame_set(5)
    assert proxy.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(value)
    assert len(bpy.data.actions) == 1


@pytest.mark.parametrize("name", ["reset_sliders", "remove_avatar", "match_camera", "select_rig"])
def test_buttons_for_an_avatar_are_grey_without_one(name):
    assert not getattr(bpy.ops.likeness, name).poll()


def test_creating_needs_footage_first():
    with pytest.raises(RuntimeError, match="Choose footage"):
        bpy.ops.likeness.create_avatar()


def test_setting_up_the_engine_needs_online_access():
    bpy.context.preferences.system.use_online_access = False
    with pytest.raises(RuntimeError, match="Online Access|offline"):
        bpy.ops.likeness.set_up_engine()


def test_the_list_selects_the_avatar(proxy):
    second = character.build(bpy.context, make_avatar(seed=2))
    assert bpy.context.object == second
    bpy.context.scene.likeness.active = bpy.data.objects.find(proxy.name)
    assert bpy.context.object == proxy


def test_deleting_takes_the_rig_and_camera_along(file):
    bpy.ops.likeness.import_avatar(filepath=str(file))
    bpy.ops.likeness.remove_avatar()
    assert len(bpy.data.objects) == len(bpy.data.actions) == len(bpy.data.meshes) == 0
