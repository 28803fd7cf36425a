"""Avatars in .blend files: linked, overridden, appended, recovered, saved elsewhere."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_object, character

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
