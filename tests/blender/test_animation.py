"""The tracked performance and the footage camera show what the footage showed."""

from __future__ import annotations

import dataclasses

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from likeness.blender_addon import animation, character, coordinates, footage_camera
from mathutils import Vector

from tests.blender.synthetic import make_avatar
from tests.blender.test_character import posed_vertices


@pytest.fixture
def avatar():
    return make_avatar()


@pytest.fixture
def performed(avatar):
    proxy = character.build(bpy.context, avatar)
    footage_camera.match_scene(bpy.context.scene, avatar.performance)
    animation.add_performance(bpy.context.scene, proxy)
    return proxy


@pytest.mark.parametrize("frame", [0, 5, 11])
def test_each_frame_of_the_performance_poses_the_head_as_tracked(avatar, performed, frame):
    bpy.context.scene.frame_set(1 + frame)
    params = avatar.performance.params[frame]
    place = animation.reference_place(avatar.performance)
    expected = coordinates.vectors_to_blender(avatar.head.pose(params) - place)
    assert np.abs(posed_vertices(performed) - expected).max() < 2e-5


def test_the_scene_takes_the_footages_rate_length_and_size(avatar, performed):
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(25)
    assert (scene.frame_start, scene.frame_end) == (1, 12)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (256, 256)


def test_one_action_animates_keys_and_rig_by_two_slots(performed):
    keys, rig = performed.data.shape_keys, performed.find_armature()
    assert keys.animation_data.action == rig.animation_data.action
    assert keys.animation_data.action_slot != rig.animation_data.action_slot
    assert performed.likeness.action == rig.animation_data.action


@pytest.mark.parametrize("rig_location", [(0, 0, 0), (1, 2, 3)])
def test_the_footage_camera_projects_as_the_tracked_one(avatar, performed, rig_location):
    performed.find_armature().location = rig_location
    camera = footage_camera.add_camera(bpy.context, performed)
    bpy.context.scene.frame_set(4)
    performance = avatar.performance
    world = avatar.head.pose(performance.params[3])
    seen = world @ performance.viewmat[:3, :3].T + performance.viewmat[:3, 3]
    pixels = seen @ performance.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    posed = posed_vertices(performed)
    for index in (0, 77, 150):
        x, y, _ = world_to_camera_view(bpy.context.scene, camera, Vector(posed[index]))
        np.testing.assert_allclose([x * 256, 256 - y * 256], pixels[index], atol=0.02)


def test_frames_that_tracking_lost_get_no_key(avatar):
    confidence = np.ones(12, np.float32)
    confidence[3:6] = 0
    performance = dataclasses.replace(avatar.performance, confidence=confidence)
    proxy = character.build(bpy.context, dataclasses.replace(avatar, performance=performance))
    footage_camera.match_scene(bpy.context.scene, performance)
    animation.add_performance(bpy.context.scene, proxy)
    bag = proxy.likeness.action.layers[0].strips[0].channelbags[0]
    frames = [point.co.x for point in bag.fcurves[0].keyframe_points]
    assert frames == pytest.approx([1, 2, 3, 7, 8, 9, 10, 11, 12], abs=1e-4)


def test_a_refreshed_performance_is_that_of_the_new_payload(performed):
    better = make_avatar(seed=5)
    character.replace(performed, better)
    animation.refresh_performance(bpy.context.scene, performed)
    assert len(bpy.data.actions) == 1
    bpy.context.scene.frame_set(3)
    value = performed.data.shape_keys.key_blocks["jawOpen"].value
    column = better.head.expression_names.index("jawOpen")
    assert value == pytest.approx(better.performance.params.expression[2, column], abs=1e-6)


def test_another_scene_rate_keeps_the_performances_duration(avatar):
    bpy.context.scene.render.fps = 50
    proxy = character.build(bpy.context, avatar)
    action = animation.add_performance(bpy.context.scene, proxy)
    assert tuple(action.frame_range) == pytest.approx((1, 1 + 11 * 2))
