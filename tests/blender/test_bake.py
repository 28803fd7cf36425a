"""Baked keyframes show what was shown before, whatever moved the avatar."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import actions, animation, avatar_object, character

from tests.blender.synthetic import NAMES, make_avatar


@pytest.fixture
def proxy():
    built = character.build(bpy.context, make_avatar())
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 6
    return built


def shown(proxy, frame):
    bpy.context.scene.frame_set(frame)
    return avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get())


def drive_jaw(proxy):
    """jawOpen is a tenth of the frame by a driver; the neck copies a turning object."""
    driver = proxy.data.shape_keys.key_blocks["jawOpen"].driver_add("value").driver
    driver.expression = "frame / 10"
    turner = bpy.data.objects.new("Turner", None)
    bpy.context.collection.objects.link(turner)
    for frame, angle in ((1, 0.0), (6, 0.5)):
        turner.rotation_euler.z = angle
        turner.keyframe_insert("rotation_euler", frame=frame)
    bone = proxy.find_armature().pose.bones["neck"]
    constraint = bone.constraints.new("COPY_ROTATION")
    constraint.target = turner
    return driver, constraint


def test_drivers_and_constraints_become_keyframes(proxy):
    _, constraint = drive_jaw(proxy)
    before = [shown(proxy, frame).means.copy() for frame in (1, 4, 6)]
    assert bpy.ops.likeness.bake(way="KEYS") == {"FINISHED"}
    constraint.mute = True
    assert not [c for c in proxy.data.shape_keys.animation_data.drivers if "jawOpen" in c.data_path]
    for means, frame in zip(before, (1, 4, 6), strict=True):
        np.testing.assert_allclose(shown(proxy, frame).means, means, atol=2e-5)
    assert proxy.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.6)


def test_layers_of_the_nla_become_one_action(proxy):
    animation.add_performance(bpy.context.scene, proxy)
    animation.layer_performance(proxy)
    keys = proxy.data.shape_keys.key_blocks
    keys["jawOpen"].value = 0.25
    keys["jawOpen"].keyframe_insert("value", frame=3)
    before = [shown(proxy, frame).means.copy() for frame in (2, 3, 5)]
    bpy.ops.likeness.bake(way="KEYS")
    for means, frame in zip(before, (2, 3, 5), strict=True):
        np.testing.assert_allclose(shown(proxy, frame).means, means, atol=2e-5)


def test_reduced_keys_alone_move_the_gaussians_as_before(proxy):
    animation.add_performance(bpy.context.scene, proxy)
    proxy.data.shape_keys.key_blocks["reduced.01"].value = 0.2
    before = shown(proxy, 4)
    means, colors = before.means.copy(), before.colors.copy()
    bpy.ops.likeness.bake(way="REDUCED")
    assert proxy.likeness.follow == 0
    np.testing.assert_allclose(shown(proxy, 4).means, means, atol=2e-5)
    np.testing.assert_allclose(shown(proxy, 4).colors, colors, atol=1e-4)
    curves = actions.curves_of(proxy.data.shape_keys.animation_data.action, "KEY")
    for curve in list(curves):
        if "reduced.01" in curve.data_path:
            curve.mute = True
    proxy.data.shape_keys.key_blocks["reduced.01"].value = 0.0
    assert np.abs(shown(proxy, 4).colors - colors).max() > 1e-3


def test_expressions_are_found_again_from_the_reduced_keys(proxy):
    """There and back: weights that an expression made lead to an expression with those weights."""
    avatar = avatar_object.read(proxy)
    animation.add_performance(bpy.context.scene, proxy)
    bpy.ops.likeness.bake(way="REDUCED")
    bpy.context.scene.frame_set(4)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    wanted = avatar_object.evaluated_weights(proxy.evaluated_get(depsgraph), avatar)
    blurred = {name: 0.75 * proxy.data.shape_keys.key_blocks[name].value for name in NAMES}
    for curve in list(actions.curves_of(proxy.data.shape_keys.animation_data.action, "KEY")):
        if "reduced" not in curve.data_path:
            curve.mute = True
    for name, value in blurred.items():  # the expressions are not those that made the weights
        proxy.data.shape_keys.key_blocks[name].value = value
    bpy.ops.likeness.bake(way="EXPRESSIONS")
    bpy.context.scene.frame_set(4)
    assert proxy.likeness.follow == 1
    keys = proxy.data.shape_keys.key_blocks
    assert keys["reduced.01"].value == 0
    depsgraph = bpy.context.evaluated_depsgraph_get()
    found = avatar_object.evaluated_weights(proxy.evaluated_get(depsgraph), avatar)
    np.testing.assert_allclose(found, wanted, atol=0.05)


def test_learned_motion_can_be_turned_down(proxy):
    keys = proxy.data.shape_keys.key_blocks
    avatar = avatar_object.read(proxy)
    keys["jawOpen"].value = 1.0
    keys["reduced.00"].value = 0.3

    def weights():
        depsgraph = bpy.context.evaluated_depsgraph_get()
        return avatar_object.evaluated_weights(proxy.evaluated_get(depsgraph), avatar)

    full = weights()
    proxy.likeness.follow = 0.5
    proxy.update_tag()
    np.testing.assert_allclose(weights() - [0.3, 0, 0], (full - [0.3, 0, 0]) / 2, atol=1e-6)


def test_baking_is_undone_by_one_undo(proxy):
    bpy.ops.ed.undo_push(message="built")
    bpy.ops.likeness.bake("EXEC_DEFAULT", True, way="REDUCED")
    assert proxy.data.shape_keys.animation_data.action is not None
    bpy.ops.ed.undo()
    proxy = bpy.data.objects["Ball"]
    data = proxy.data.shape_keys.animation_data
    assert data is None or data.action is None
    assert proxy.likeness.follow == 1
