"""The avatar as a Blender character: what poses it, what it stores, what survives."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import (
    animation,
    avatar_object,
    character,
    coordinates,
    footage_camera,
)
from likeness.engine.api.errors import LikenessError
from likeness.engine.api.rotations import matrix_from_quat, multiply_quats, quat_from_matrix

from tests.blender.synthetic import NAMES, make_avatar, make_params


@pytest.fixture
def avatar():
    return make_avatar()


@pytest.fixture
def proxy(avatar):
    return character.build(bpy.context, avatar)


def posed_vertices(proxy):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = proxy.evaluated_get(depsgraph)
    positions = np.empty(len(evaluated.data.vertices) * 3, np.float32)
    evaluated.data.attributes["position"].data.foreach_get("vector", positions)
    matrix = np.array(evaluated.matrix_world)
    return positions.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("seed", range(4))
def test_the_posed_proxy_head_equals_the_head_model(avatar, proxy, seed):
    params = make_params(np.random.default_rng(seed))
    animation.set_pose(proxy, params)
    expected = coordinates.vectors_to_blender(avatar.head.pose(params))
    assert np.abs(posed_vertices(proxy) - expected).max() < 1e-5


def test_evaluated_gaussians_equal_the_baked_avatar_posed_in_the_world(avatar, proxy):
    params = make_params(np.random.default_rng(1))
    animation.set_pose(proxy, params)
    shown = avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get())
    expected = avatar.pose(params)
    vectors = coordinates.vectors_to_blender(expected.means)
    np.testing.assert_allclose(shown.means, vectors, atol=2e-5)
    np.testing.assert_allclose(shown.scales, expected.scales, rtol=1e-3)
    np.testing.assert_allclose(shown.opacities, expected.opacities, atol=1e-4)
    np.testing.assert_allclose(shown.colors, expected.colors, atol=1e-4)
    turn = quat_from_matrix(coordinates.TO_BLENDER)
    turned = multiply_quats(turn, expected.quats)
    dots = np.abs(np.sum(shown.quats * turned, axis=-1))
    assert dots.min() > 1 - 1e-4


def test_the_keys_are_named_for_arkit_and_then_for_the_reduced_blendshapes(proxy):
    names = proxy.data.shape_keys.key_blocks.keys()
    assert names == ["Basis", *NAMES, "reduced.00", "reduced.01", "reduced.02"]


def test_a_reduced_slider_adds_its_delta_and_leaves_the_mesh_alone(avatar, proxy):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    before = avatar_object.evaluated_weights(proxy.evaluated_get(depsgraph), avatar)
    mesh_before = posed_vertices(proxy)
    proxy.data.shape_keys.key_blocks["reduced.01"].value = -0.75
    depsgraph = bpy.context.evaluated_depsgraph_get()
    after = avatar_object.evaluated_weights(proxy.evaluated_get(depsgraph), avatar)
    np.testing.assert_allclose(after - before, [0, -0.75, 0], atol=1e-6)
    assert np.array_equal(posed_vertices(proxy), mesh_before)


def test_eye_look_keys_turn_the_eye_bones_by_thirty_degrees(proxy):
    proxy.data.shape_keys.key_blocks["eyeLookUpLeft"].value = 0.5
    rig = proxy.find_armature().evaluated_get(bpy.context.evaluated_depsgraph_get())
    forward = rig.pose.bones["eye.L"].y_axis
    assert np.degrees(np.arcsin(forward.z)) == pytest.approx(15, abs=0.01)
    assert rig.pose.bones["eye.R"].y_axis.z == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scale", [(2, 2, 2), (-1, 1, 1), (-1, -1, -1), (1, 0.5, 3)])
def test_a_scaled_rig_scales_the_covariances(avatar, proxy, scale):
    rest = avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get())
    proxy.find_armature().scale = scale
    proxy.find_armature().rotation_euler = (0.3, 0.2, 0.1)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    shown = avatar_object.evaluate(proxy, depsgraph)
    linear = np.array(proxy.evaluated_get(depsgraph).matrix_world)[:3, :3]
    np.testing.assert_allclose(shown.means, rest.means @ linear.T, atol=1e-5)
    expected = linear @ covariances(rest) @ linear.T
    np.testing.assert_allclose(covariances(shown), expected, atol=3e-9)


def covariances(gaussians):
    axes = matrix_from_quat(gaussians.quats) * gaussians.scales[:, None]
    return axes @ axes.swapaxes(-1, -2)


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_of_detail_is_a_prefix_and_what_it_adds(avatar, proxy, level):
    params = make_params(np.random.default_rng(2))
    animation.set_pose(proxy, params)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    avatar_object.evaluate(proxy, depsgraph, 0)
    part = avatar_object.evaluate(proxy, depsgraph, level)
    expected = avatar.pose(params, avatar.levels[level])
    vectors = coordinates.vectors_to_blender(expected.means)
    np.testing.assert_allclose(part.means, vectors, atol=2e-5)
    np.testing.assert_allclose(part.scales, expected.scales, rtol=1e-3)
    np.testing.assert_allclose(part.colors, expected.colors, atol=1e-4)
    bare = avatar.pose(params).colors[: avatar.levels[level]]
    assert np.abs(part.colors - bare).max() > 0.01


def test_nothing_is_evaluated_again_while_nothing_changes(proxy):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    first = avatar_object.evaluate(proxy, depsgraph)
    assert avatar_object.evaluate(proxy, depsgraph) is first
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 1
    assert avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get()) is not first


def test_a_modifier_that_adds_vertices_is_refused_in_words(proxy):
    proxy.modifiers.new("Subdivision", "SUBSURF").levels = 1
    with pytest.raises(LikenessError, match="Subdivision"):
        avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get())


def assert_same_avatar(actual, expected):
    for name in ("base", "deltas"):
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))
    for name in ("face", "barycentric", "tangent"):
        np.testing.assert_array_equal(
            getattr(actual.binding, name), getattr(expected.binding, name)
        )
    np.testing.assert_array_equal(actual.head.vertices, expected.head.vertices)
    np.testing.assert_array_equal(actual.head.expression_deltas, expected.head.expression_deltas)
    assert actual.levels == expected.levels
    assert actual.info["method"] == expected.info["method"]


def test_the_avatar_survives_saving_and_opening(avatar, proxy, tmp_path):
    path = str(tmp_path / "avatar.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert_same_avatar(avatar_object.read(bpy.data.objects["Ball"]), avatar)


def test_the_avatar_survives_appending_with_its_rig(avatar, proxy, tmp_path):
    path = str(tmp_path / "avatar.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path) as (_, wanted):
        wanted.objects = ["Ball"]
    appended = wanted.objects[0]
    bpy.context.collection.objects.link(appended)
    assert_same_avatar(avatar_object.read(appended), avatar)
    appended.data.shape_keys.key_blocks["eyeLookUpLeft"].value = 1
    rig = appended.find_armature().evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert rig.pose.bones["look.L"].rotation_euler.x == pytest.approx(np.radians(30), abs=1e-4)


@pytest.mark.parametrize("linked", [False, True])
def test_a_duplicate_is_an_avatar_that_moves_alone(avatar, proxy, linked):
    rig = proxy.find_armature()
    for obj in (proxy, rig):
        obj.select_set(True)
    bpy.context.preferences.edit.use_duplicate_armature = True
    bpy.ops.object.duplicate(linked=linked)
    twin = next(o for o in bpy.context.selected_objects if o.type == "MESH")
    assert twin != proxy
    assert twin.find_armature() != rig
    assert avatar_object.read(twin) is avatar_object.read(proxy)
    twin.find_armature().pose.bones["neck"].rotation_quaternion = (0.9, 0.1, 0.3, 0.2)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    moved = avatar_object.evaluate(twin, depsgraph).means
    still = avatar_object.evaluate(proxy, depsgraph).means
    assert np.abs(moved - still).max() > 0.01
    if not linked:
        twin.data.shape_keys.key_blocks["eyeLookUpLeft"].value = 1
        depsgraph = bpy.context.evaluated_depsgraph_get()
        turned = twin.find_armature().evaluated_get(depsgraph).pose.bones["look.L"]
        assert turned.rotation_euler.x == pytest.approx(np.radians(30), abs=1e-4)
        assert rig.evaluated_get(depsgraph).pose.bones["look.L"].rotation_euler.x == 0


def test_undo_and_redo_keep_the_avatar(avatar, proxy):
    bpy.ops.ed.undo_push(message="built")
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 1
    bpy.ops.ed.undo_push(message="jaw")
    bpy.ops.ed.undo()
    proxy = bpy.data.objects["Ball"]
    assert proxy.data.shape_keys.key_blocks["jawOpen"].value == 0
    assert_same_avatar(avatar_object.read(proxy), avatar)
    bpy.ops.ed.redo()
    assert bpy.data.objects["Ball"].data.shape_keys.key_blocks["jawOpen"].value == 1


def test_replacing_keeps_sliders_and_takes_the_new_gaussians(proxy):
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 0.5
    better = make_avatar(seed=5, blendshapes=5)
    assert character.can_replace(proxy, better)
    character.replace(proxy, better)
    assert_same_avatar(avatar_object.read(proxy), better)
    assert proxy.data.shape_keys.key_blocks["jawOpen"].value == 0.5
    expected = coordinates.vectors_to_blender(better.head.vertices)
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 0
    np.testing.assert_allclose(posed_vertices(proxy), expected, atol=1e-6)
    assert proxy.data.shape_keys.key_blocks["reduced.04"].value == 0


def test_removing_leaves_nothing_behind(proxy):
    animation.add_performance(bpy.context.scene, proxy)
    footage_camera.add_camera(bpy.context, proxy)
    character.remove(proxy)
    for kind in ("objects", "meshes", "armatures", "cameras", "actions", "shape_keys", "materials"):
        assert len(getattr(bpy.data, kind)) == 0, kind
