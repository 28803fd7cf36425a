"""Avatars in .blend files: linked, overridden, appended, recovered, saved elsewhere."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import animation, avatar_object, character

from tests.blender.avatar_scenes import in_collection, instancer, places, shown
from tests.blender.synthetic import make_avatar


@pytest.fixture
def avatar():
    return make_avatar(gaussians=600)


@pytest.fixture
def proxy(avatar):
    return character.build(bpy.context, avatar)


def save(path):
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return str(path)


@pytest.mark.parametrize("overridden", [False, True])
def test_a_linked_avatar_is_shown_and_an_override_is_posed(avatar, proxy, tmp_path, overridden):
    collection = in_collection(proxy, proxy.find_armature())
    bpy.context.scene.collection.children.link(collection)
    path = save(tmp_path / "library.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.collections = ["Heads"]
    linked = wanted.collections[0]
    if not overridden:
        instancer(linked, (1, 0, 0))
        (matrix,) = places()
        np.testing.assert_allclose(matrix[:3, 3], [1, 0, 0], atol=1e-6)
        return
    bpy.context.scene.collection.children.link(linked)
    local = linked.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    head = next(obj for obj in local.all_objects if avatar_object.is_avatar(obj))
    assert head.override_library is not None
    before = shown(head).means
    head.find_armature().pose.bones["neck"].rotation_quaternion = (0.9, 0.3, 0, 0)
    assert np.abs(shown(head).means - before).max() > 0.01
    path = save(tmp_path / "overriding.blend")
    bpy.ops.wm.open_mainfile(filepath=path)
    again = next(obj for obj in bpy.data.objects if obj.override_library and obj.type == "MESH")
    assert avatar_object.read(again).count == avatar.count


@pytest.fixture
def linked(avatar, proxy, tmp_path):
    """The proxy head of an avatar that another file holds, linked and active."""
    animation.add_performance(bpy.context.scene, proxy)
    collection = in_collection(proxy, proxy.find_armature())
    bpy.context.scene.collection.children.link(collection)
    path = save(tmp_path / "library.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.collections = ["Heads"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    bpy.context.view_layer.update()
    head = next(filter(avatar_object.is_avatar, bpy.context.view_layer.objects))
    character.select_only(bpy.context, head)
    return head


TOOLS = ("apply_pose", "reset_sliders", "key_pose", "mirror_pose", "select_rig", "remove_avatar")


@pytest.mark.parametrize("overridden", [False, True])
def test_a_linked_avatars_tools_say_what_makes_it_editable(linked, overridden):
    if overridden:  # as Blender overrides it: without the shape keys
        collection = next(each for each in bpy.data.collections if each.library)
        collection.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
        bpy.context.view_layer.update()
        local = next(obj for obj in bpy.data.objects if obj.override_library and obj.type == "MESH")
        character.select_only(bpy.context, local)
    for name in TOOLS:
        with pytest.raises(RuntimeError, match="linked from library.blend: Make Override"):
            getattr(bpy.ops.likeness, name)()
    assert bpy.ops.likeness.copy_pose.poll()
    assert bpy.ops.likeness.make_override() == {"FINISHED"}
    assert [name for name in TOOLS if not getattr(bpy.ops.likeness, name).poll()] == []
    assert not bpy.ops.likeness.make_override.poll()


def test_an_override_is_posed_keyframed_and_saved_without_its_gaussians(avatar, linked, tmp_path):
    bpy.ops.likeness.make_override()
    bpy.ops.likeness.clear_performance()
    bpy.ops.likeness.apply_pose(pose="smile")
    bpy.context.object.find_armature().pose.bones["neck"].rotation_quaternion = (0.9, 0.3, 0, 0)
    bpy.ops.likeness.key_pose()
    bpy.context.object.likeness.level, bpy.context.object.likeness.follow = 2, 0.5
    bpy.context.object.update_tag()
    posed = shown(bpy.context.object).means
    path = save(tmp_path / "shot.blend")
    bpy.ops.wm.open_mainfile(filepath=path)
    head = next(obj for obj in bpy.data.objects if obj.override_library and obj.type == "MESH")
    assert head.likeness.level == 2
    assert head.data.shape_keys.key_blocks["mouthSmileLeft"].value > 0.5
    assert head.data.shape_keys.animation_data.action.library is None
    assert head.likeness.payload.library is not None
    np.testing.assert_allclose(shown(head).means, posed, atol=1e-5)


def test_an_instance_says_why_it_cannot_be_posed(proxy):
    empty = instancer(in_collection(proxy, proxy.find_armature()), (1, 0, 0))
    bpy.context.view_layer.update()
    character.select_only(bpy.context, empty)
    with pytest.raises(RuntimeError, match="Make Instances Real"):
        bpy.ops.likeness.apply_pose()


def test_a_recovered_file_has_the_avatar(avatar, proxy, tmp_path):
    path = save(tmp_path / "scene.blend")
    proxy.name = "Anna"
    autosave = str(tmp_path / "autosave.blend")
    bpy.ops.wm.save_as_mainfile(filepath=autosave, copy=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    bpy.ops.wm.recover_auto_save(filepath=autosave)
    recovered = bpy.data.objects["Anna"]
    assert avatar_object.read(recovered).count == avatar.count
    assert len(shown(recovered).means) == avatar.count


def test_saving_under_another_name_elsewhere_keeps_the_avatar_whole(avatar, proxy, tmp_path):
    save(tmp_path / "first.blend")
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 0.5
    (tmp_path / "elsewhere").mkdir()
    second = save(tmp_path / "elsewhere" / "second.blend")
    (tmp_path / "first.blend").unlink()
    bpy.ops.wm.open_mainfile(filepath=second)
    opened = bpy.data.objects["Ball"]
    assert opened.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.5)
    assert avatar_object.read(opened).count == avatar.count
    assert not bpy.data.libraries


def test_appending_twice_makes_two_avatars_of_their_own(avatar, proxy, tmp_path):
    collection = in_collection(proxy, proxy.find_armature())
    bpy.context.scene.collection.children.link(collection)
    path = save(tmp_path / "library.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for _ in range(2):
        bpy.ops.wm.append(directory=f"{path}/Collection/", filename="Heads")
    heads = [obj for obj in bpy.data.objects if avatar_object.is_avatar(obj)]
    assert len(heads) == 2
    heads[0].data.shape_keys.key_blocks["jawOpen"].value = 1
    assert np.abs(shown(heads[0]).means - shown(heads[1]).means).max() > 1e-4
    character.remove(heads[0])
    assert len(shown(heads[1]).means) == avatar.count
