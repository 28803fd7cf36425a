"""Avatars as Blender data: instances, copies, and what shapes a proxy head."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_object, character
from likeness.engine.api.rotations import matrix_from_quat

from tests.blender.avatar_scenes import in_collection, instancer, places, shown
from tests.blender.synthetic import make_avatar


@pytest.fixture
def avatar():
    return make_avatar(gaussians=600)


@pytest.fixture
def proxy(avatar):
    return character.build(bpy.context, avatar)


def covariances(gaussians):
    axes = matrix_from_quat(gaussians.quats) * gaussians.scales[:, None]
    return axes @ axes.swapaxes(-1, -2)


def test_a_collection_instance_shows_the_avatar_where_it_stands(proxy):
    instancer(in_collection(proxy, proxy.find_armature()), (1, 2, 3)).scale = (2, 2, 2)
    own, instance = sorted(places(), key=lambda matrix: matrix[0, 3])
    np.testing.assert_allclose(own, np.eye(4), atol=1e-6)
    np.testing.assert_allclose(instance[:3, 3], [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(instance[:3, :3], 2 * np.eye(3), atol=1e-6)


def test_an_instance_of_an_avatar_that_is_in_no_scene_can_be_posed(avatar, proxy):
    collection = in_collection(proxy, proxy.find_armature())
    for obj in (proxy, proxy.find_armature()):
        bpy.context.scene.collection.objects.unlink(obj)
    instancer(collection, (1, 0, 0))
    depsgraph = bpy.context.evaluated_depsgraph_get()
    (one,) = avatar_object.appearances(depsgraph)
    before = avatar_object.pose(one.avatar, depsgraph, avatar.count).means
    proxy.find_armature().pose.bones["neck"].rotation_quaternion = (0.9, 0.3, 0, 0)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    after = avatar_object.pose(one.avatar, depsgraph, avatar.count).means
    assert np.abs(after - before).max() > 0.01


def test_geometry_nodes_instances_show_the_avatar_too(proxy):
    tree = bpy.data.node_groups.new("Instances", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    points = tree.nodes.new("GeometryNodeMeshLine")
    points.inputs["Count"].default_value = 3
    info = tree.nodes.new("GeometryNodeObjectInfo")
    info.inputs["Object"].default_value = proxy
    info.inputs["As Instance"].default_value = True
    spread = tree.nodes.new("GeometryNodeInstanceOnPoints")
    tree.links.new(points.outputs[0], spread.inputs["Points"])
    tree.links.new(info.outputs["Geometry"], spread.inputs["Instance"])
    tree.links.new(spread.outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])
    bpy.ops.mesh.primitive_plane_add(location=(0, 5, 0))
    bpy.context.object.modifiers.new("Instances", "NODES").node_group = tree
    heights = sorted(matrix[2, 3] for matrix in places() if matrix[1, 3] > 4)
    np.testing.assert_allclose(heights, [0, 1, 2], atol=1e-6)


def test_a_file_without_avatars_costs_no_walk_through_its_objects():
    instancer(bpy.data.collections.new("Empty"), (0, 0, 0))
    assert places() == []


def test_a_linked_duplicate_deleted_leaves_the_first_its_rig(avatar, proxy):
    rig = proxy.find_armature()
    bpy.ops.object.duplicate(linked=True)  # the proxy head alone: both hang on one rig
    twin = bpy.context.object
    assert twin != proxy
    assert twin.find_armature() == rig
    character.remove(twin)
    assert proxy.find_armature() == rig
    assert len(shown(proxy).means) == avatar.count
    character.remove(proxy)
    assert not bpy.data.armatures


def test_deleting_an_avatar_keeps_the_rig_that_clothes_hang_on(proxy):
    rig = proxy.find_armature()
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.modifiers.new("Rig", "ARMATURE").object = rig
    character.remove(proxy)
    assert bpy.context.scene.objects[rig.name] == rig


def test_a_lattice_that_doubles_the_head_doubles_its_gaussians(proxy):
    before = shown(proxy)
    lattice = bpy.data.objects.new("Lattice", bpy.data.lattices.new("Lattice"))
    bpy.context.collection.objects.link(lattice)
    for axis in "uvw":
        setattr(lattice.data, f"interpolation_type_{axis}", "KEY_LINEAR")
    proxy.modifiers.new("Lattice", "LATTICE").object = lattice
    np.testing.assert_allclose(covariances(shown(proxy)), covariances(before), atol=1e-9)
    for point in lattice.data.points:
        point.co_deform = point.co * 2
    after = shown(proxy)
    np.testing.assert_allclose(after.means, 2 * before.means, atol=2e-4)
    np.testing.assert_allclose(covariances(after), 4 * covariances(before), rtol=2e-3, atol=1e-8)


def test_an_applied_scale_scales_the_gaussians(proxy):
    before = shown(proxy)
    proxy.scale = (1.5, 1.5, 1.5)
    scaled = shown(proxy)
    with bpy.context.temp_override(object=proxy, selected_editable_objects=[proxy]):
        bpy.ops.object.transform_apply(location=False, rotation=False)
    assert tuple(proxy.scale) == (1, 1, 1)
    after = shown(proxy)
    np.testing.assert_allclose(after.means, scaled.means, atol=1e-5)
    np.testing.assert_allclose(covariances(after), 2.25 * covariances(before), rtol=2e-3, atol=1e-9)


def test_a_shrinkwrap_lays_the_gaussians_onto_its_target(proxy):
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, segments=64, ring_count=64)
    proxy.modifiers.new("Shrinkwrap", "SHRINKWRAP").target = bpy.context.object
    distances = np.linalg.norm(shown(proxy).means, axis=1)
    assert np.median(distances) == pytest.approx(0.5, abs=0.05)


def test_constraints_drivers_and_parents_move_the_gaussians(proxy):
    before = shown(proxy).means
    target = bpy.data.objects.new("Target", None)
    bpy.context.collection.objects.link(target)
    rig = proxy.find_armature()
    rig.constraints.new("COPY_LOCATION").target = target
    target.location = (0.3, 0, 0)
    np.testing.assert_allclose(shown(proxy).means, before + [0.3, 0, 0], atol=1e-5)
    curve = proxy.data.shape_keys.key_blocks["jawOpen"].driver_add("value")
    curve.driver.expression = "frame / 10"
    bpy.context.scene.frame_set(1)
    first = shown(proxy).means
    bpy.context.scene.frame_set(10)
    assert np.abs(shown(proxy).means - first).max() > 1e-4


def test_a_strip_in_the_nla_moves_the_gaussians(proxy):
    keys = proxy.data.shape_keys
    key = keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.0), (11, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    data = keys.animation_data
    action, slot = data.action, data.action_slot
    data.action = None
    strip = data.nla_tracks.new().strips.new("Strip", 101, action)
    strip.action_slot = slot
    bpy.context.scene.frame_set(101)
    closed = shown(proxy).means
    bpy.context.scene.frame_set(111)
    key = proxy.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
    assert key.key_blocks["jawOpen"].value == pytest.approx(1)
    assert np.abs(shown(proxy).means - closed).max() > 1e-4


@pytest.mark.parametrize("mode", ["EDIT", "SCULPT", "WEIGHT_PAINT"])
def test_the_avatar_stays_while_its_proxy_head_is_edited(avatar, proxy, mode):
    bpy.context.view_layer.objects.active = proxy
    bpy.ops.object.mode_set(mode=mode)
    assert len(shown(proxy).means) == avatar.count
    bpy.ops.object.mode_set(mode="OBJECT")


def test_copies_of_the_object_share_one_payload_and_one_reading(proxy):
    twin = proxy.copy()
    twin.data = proxy.data.copy()
    bpy.context.collection.objects.link(twin)
    assert twin.likeness.payload == proxy.likeness.payload
    twin.data.shape_keys.key_blocks["jawOpen"].value = 1
    assert np.abs(shown(twin).means - shown(proxy).means).max() > 1e-4
    assert len(avatar_object._carriers) == 1


def test_a_deleted_avatar_is_shown_nowhere_and_comes_back_with_undo(avatar, proxy):
    bpy.ops.ed.undo_push(message="built")
    character.select_only(bpy.context, proxy)
    bpy.ops.object.delete()
    bpy.ops.ed.undo_push(message="deleted")
    assert places() == []
    bpy.ops.ed.undo()
    assert len(places()) == 1
    assert len(shown(bpy.data.objects["Ball"]).means) == avatar.count


def test_what_was_kept_of_a_deleted_avatar_is_dropped_with_the_next_one(proxy):
    shown(proxy)
    character.remove(proxy)
    other = character.build(bpy.context, make_avatar(seed=1, gaussians=600))
    shown(other)
    assert len(avatar_object._carriers) == 1
    assert {slot[0] for slot in avatar_object._posed} == {other.session_uid}


def test_a_linked_duplicate_made_single_user_is_posed_alone(avatar, proxy):
    character.select_only(bpy.context, proxy)
    bpy.ops.object.duplicate(linked=True)
    twin = bpy.context.object
    assert twin.data == proxy.data
    bpy.ops.object.make_single_user(object=True, obdata=True)
    assert twin.data != proxy.data
    twin.data.shape_keys.key_blocks["jawOpen"].value = 1
    assert proxy.data.shape_keys.key_blocks["jawOpen"].value == 0
    assert np.abs(shown(twin).means - shown(proxy).means).max() > 1e-4
    assert twin.likeness.payload == proxy.likeness.payload


def test_an_avatar_in_two_scenes_is_shown_in_both(avatar, proxy):
    second = bpy.data.scenes.new("Second")
    for obj in (proxy, proxy.find_armature()):
        second.collection.objects.link(obj)
    with bpy.context.temp_override(scene=second, view_layer=second.view_layers[0]):
        depsgraph = bpy.context.evaluated_depsgraph_get()
    assert [one.avatar for one in avatar_object.appearances(depsgraph)] == [proxy]
    bpy.data.scenes.remove(second)
    assert len(shown(proxy).means) == avatar.count
