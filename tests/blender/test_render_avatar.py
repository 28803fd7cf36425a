"""A whole avatar through Blender's renderer: the pixels the engine's mathematics promise."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_layer, avatar_object, cpu_splats, importing
from likeness.blender_addon.coordinates import FLIP_CAMERA
from mathutils import Matrix

from tests.blender import render_stage as stage
from tests.blender import synthetic


@pytest.fixture
def avatar():
    return synthetic.make_avatar(frames=3)


@pytest.fixture
def scene(avatar):
    """The avatar with its performance, filmed as its footage was, before nothing."""
    importing.add(bpy.context, avatar, performance=True, match_scene=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.dither_intensity = 0
    scene.view_settings.view_transform = "Standard"
    avatar_layer.set_up(scene)
    return scene


def promised(avatar, index: int) -> np.ndarray:
    """[H, W, 4] premultiplied, rows from the bottom: the engine's pose of a tracked frame."""
    performance = avatar.performance
    K, width, height = performance.K, performance.width, performance.height
    window = np.zeros((4, 4))
    window[0, 0], window[0, 2] = 2 * K[0, 0] / width, 1 - 2 * K[0, 2] / width
    window[1, 1], window[1, 2] = 2 * K[1, 1] / height, 2 * K[1, 2] / height - 1
    window[2, 2] = window[3, 2] = -1
    view = cpu_splats.View(FLIP_CAMERA @ performance.viewmat, window, width, height)
    pose = avatar.pose(performance.params[index])
    footprint = avatar_object.footprint_on_head(avatar)
    return cpu_splats.rasterize(pose, view, 50.0, footprint).color


def test_rendered_frames_are_the_tracked_poses_in_the_footages_camera(avatar, scene, tmp_path):
    scene.render.filepath = f"{tmp_path}/frame_"
    first = scene.frame_start
    scene.frame_end = first + 2
    bpy.ops.render.render(animation=True)
    frames = [stage.picture(f"{tmp_path}/frame_{first + n:04d}.png") for n in range(3)]
    for index, seen in enumerate(frames):
        expected = np.clip(promised(avatar, index), 0, 1)
        assert (expected[..., 3] > 0.99).sum() > 3000
        error = np.abs(seen - expected)[..., :3]
        assert np.quantile(error, 0.999) < 0.01
        assert error.mean() < 0.001
    assert np.abs(frames[2] - frames[0]).mean() > 0.02


def test_a_keyed_slider_reaches_the_rendered_frame(avatar, scene, tmp_path):
    proxy = bpy.data.objects[avatar.name]
    still = stage.shoot(scene, tmp_path)
    key = proxy.data.shape_keys.key_blocks["reduced.00"]
    key.value = 1.0
    key.keyframe_insert("value", frame=scene.frame_current)
    key.value = 0.0  # what is keyed counts, not what the slider was left at
    moved = stage.shoot(scene, tmp_path)
    assert np.abs(moved - still).max() > 0.1


def test_fewer_gaussians_are_drawn_at_a_higher_level(avatar, scene, tmp_path):
    every = stage.shoot(scene, tmp_path)
    scene.likeness_render.level = 2
    quarter = stage.shoot(scene, tmp_path)
    assert 0 < quarter[..., :3].sum() < 0.9 * every[..., :3].sum()


def test_a_modifier_that_breaks_the_proxy_stops_the_avatar_not_the_render(avatar, scene, tmp_path):
    bpy.data.objects[avatar.name].modifiers.new("Subdivision", "SUBSURF")
    seen = stage.shoot(scene, tmp_path)
    assert not seen[..., :3].any()


def test_an_instance_is_rendered_beside_its_avatar(avatar, scene, tmp_path):
    scene.render.film_transparent = True
    proxy = bpy.data.objects[avatar.name]
    alone = stage.shoot(scene, tmp_path)[..., 3] > 0.9
    crowd = bpy.data.collections.new("Crowd")
    crowd.objects.link(proxy)
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", crowd
    empty.location.x = 0.08
    scene.collection.objects.link(empty)
    both = stage.shoot(scene, tmp_path)[..., 3] > 0.9
    pixels = round(avatar.performance.K[0, 0] * 0.08 / 0.7)
    moved = np.zeros_like(alone)
    moved[:, pixels:] = alone[:, :-pixels]
    assert np.mean(both[moved & ~alone]) > 0.8
    empty.hide_render = True
    again = stage.shoot(scene, tmp_path)[..., 3] > 0.9
    assert np.mean(again != alone) < 0.001


def test_an_instance_of_geometry_nodes_is_rendered(avatar, scene, tmp_path):
    scene.render.film_transparent = True
    proxy = bpy.data.objects[avatar.name]
    alone = stage.shoot(scene, tmp_path)[..., 3] > 0.9
    crowd = bpy.data.objects.new("Crowd", bpy.data.meshes.new("Crowd"))
    crowd.modifiers.new("Nodes", "NODES").node_group = nodes_that_instance(proxy)
    crowd.matrix_world = Matrix.Translation((0.08, 0, 0)) @ proxy.matrix_world
    scene.collection.objects.link(crowd)
    both = stage.shoot(scene, tmp_path)[..., 3] > 0.9
    pixels = round(avatar.performance.K[0, 0] * 0.08 / 0.7)
    moved = np.zeros_like(alone)
    moved[:, pixels:] = alone[:, :-pixels]
    assert np.mean(both[moved & ~alone]) > 0.8
    assert np.mean(both[~moved & ~alone]) < 0.05  # perspective


def nodes_that_instance(obj: bpy.types.Object) -> bpy.types.NodeTree:
    """One instance of an object where it stands, by a group in a group."""
    inner = bpy.data.node_groups.new("Inner", "GeometryNodeTree")
    outer = bpy.data.node_groups.new("Outer", "GeometryNodeTree")
    for tree in (inner, outer):
        tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    info = inner.nodes.new("GeometryNodeObjectInfo")
    info.transform_space = "ORIGINAL"
    info.inputs["Object"].default_value = obj
    info.inputs["As Instance"].default_value = True
    nested = outer.nodes.new("GeometryNodeGroup")
    nested.node_tree = inner
    for tree, node in ((inner, info), (outer, nested)):
        output = tree.nodes.new("NodeGroupOutput")
        tree.links.new(node.outputs["Geometry"], output.inputs["Geometry"])
    return outer
