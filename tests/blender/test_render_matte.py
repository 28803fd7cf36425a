"""Renders that are laid over something else: holdouts, shadow catchers, depth for compositing."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_layer, compositing, compositor_tree, mesh_depth
from likeness.blender_addon.cpu_splats import View

from tests.blender import render_stage as stage

FACE, FRONT, EMPTY = (-0.04, -0.1, 0.03), (0.06, -0.28, 0.0), (0.18, 0.0, 0.1)


@pytest.fixture
def scene(monkeypatch) -> bpy.types.Scene:
    """The stage without a film: pixels with nothing in them are transparent."""
    stage.install(monkeypatch)
    scene = stage.build()
    scene.render.film_transparent = True
    return scene


def hold_out(obj: bpy.types.Object) -> None:
    obj.is_holdout = True


def hold_out_with_its_collection(obj: bpy.types.Object) -> None:
    scene = bpy.context.scene
    collection = bpy.data.collections.new("Matte")
    scene.collection.children.link(collection)
    collection.objects.link(obj)
    scene.collection.objects.unlink(obj)
    scene.view_layers[0].layer_collection.children["Matte"].holdout = True


@pytest.mark.parametrize("hold", [hold_out, hold_out_with_its_collection])
def test_a_mesh_that_holds_out_cuts_its_shape_out_of_the_avatar(hold, scene, tmp_path):
    hold(bpy.data.objects["Front"])
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    assert seen[stage.pixel_of(scene, FRONT)] == pytest.approx([0, 0, 0, 0], abs=0.01)
    assert seen[stage.pixel_of(scene, FACE)] == pytest.approx([*stage.SKIN, 1], abs=0.01)


def test_a_mesh_behind_the_avatar_that_holds_out_leaves_the_avatar_alone(scene, tmp_path):
    bpy.data.objects["Behind"].is_holdout = True
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    inside = stage.pixel_of(scene, (-0.06, -0.08, 0.0))
    assert seen[inside] == pytest.approx([*stage.SKIN, 1], abs=0.01)
    assert seen[stage.pixel_of(scene, (-0.19, 0.15, 0.0))][3] == pytest.approx(0, abs=0.01)


def test_an_avatar_that_holds_out_is_a_hole_in_what_is_behind_it_only(scene, tmp_path):
    bpy.data.objects["Head"].is_holdout = True
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    before_the_cube = stage.pixel_of(scene, (-0.06, -0.08, 0.0))
    assert seen[before_the_cube] == pytest.approx([0, 0, 0, 0], abs=0.01)
    assert seen[stage.pixel_of(scene, FRONT)] == pytest.approx([0, 0, 1, 1], abs=0.01)
    beside = stage.pixel_of(scene, (-0.19, 0.15, 0.0))
    assert seen[beside] == pytest.approx([0, 1, 0, 1], abs=0.01)


def test_of_two_avatars_only_the_one_that_holds_out_is_cut_out(scene, tmp_path):
    other = bpy.data.objects["Head"].copy()
    other.location, other.is_holdout = (0.12, -0.3, 0), True
    scene.collection.objects.link(other)
    bpy.data.objects.remove(bpy.data.objects["Front"])
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    assert seen[stage.pixel_of(scene, (0.12, -0.4, 0))] == pytest.approx([0, 0, 0, 0], abs=0.01)
    apart = stage.pixel_of(scene, (-0.08, -0.03, 0.0))
    assert seen[apart] == pytest.approx([*stage.SKIN, 1], abs=0.01)


def test_a_shadow_catcher_catches_the_avatars_shadow_and_hides_what_is_below_it(scene, tmp_path):
    for name in ("Front", "Behind"):
        bpy.data.objects.remove(bpy.data.objects[name])
    bpy.ops.mesh.primitive_plane_add(size=4, location=(0, 0, -0.08))
    bpy.context.object.is_shadow_catcher = True
    bpy.ops.object.light_add(type="SUN", rotation=(0, -0.6, 0))
    scene.camera.location.z, scene.camera.rotation_euler.x = 0.3, np.pi / 2 - 0.3
    scene.cycles.samples = 16
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    shadow = seen[stage.pixel_of(scene, (0.13, 0, -0.08))]
    assert shadow[:3] == pytest.approx([0, 0, 0], abs=0.05)
    assert shadow[3] > 0.5
    assert seen[stage.pixel_of(scene, (-0.2, 0, -0.08))][3] < 0.1
    assert seen[stage.pixel_of(scene, (0, -0.05, 0.08))] == pytest.approx(
        [*stage.SKIN, 1], abs=0.01
    )


def test_the_groups_depth_is_that_of_what_is_seen(scene, tmp_path):
    avatar_layer.set_up(scene)
    tree = compositor_tree.find_tree(scene)
    group = compositing.find_group_node(scene)
    tree.links.new(group.outputs["Depth"], compositor_tree.find_output(tree))
    settings = scene.render.image_settings
    if not compositor_tree.IS_LEGACY:
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR", "32"
    seen = stage.shoot(scene, tmp_path, suffix="exr")[..., 0]
    assert seen[stage.pixel_of(scene, (0, -0.1, 0.06))] == pytest.approx(0.9, abs=0.03)
    assert seen[stage.pixel_of(scene, FRONT)] == pytest.approx(0.72, abs=0.001)
    assert seen[stage.pixel_of(scene, (-0.19, 0.15, 0.0))] == pytest.approx(1.15, abs=0.001)
    assert seen[stage.pixel_of(scene, EMPTY)] > 1e9


def test_an_exr_keeps_light_and_transparency(scene, tmp_path):
    settings = scene.render.image_settings
    if not compositor_tree.IS_LEGACY:
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path, suffix="exr")
    light = ((stage.SKIN + 0.055) / 1.055) ** 2.4
    assert seen[stage.pixel_of(scene, FACE)] == pytest.approx([*light, 1], abs=0.01)
    assert seen[stage.pixel_of(scene, EMPTY)] == pytest.approx([0, 0, 0, 0], abs=1e-3)


def test_mesh_depth_is_that_of_the_plane_even_where_it_runs_under_the_camera():
    """A floor 1 m below a camera that looks ahead: depth is 1 / tan of the angle below ahead."""
    corners = np.array([[x, y, -1.0] for x in (-50, 50) for y in (-50, 50)])
    floor = corners[[[0, 1, 2], [2, 1, 3]]]
    ahead = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    window = np.array([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, -1, -0.02], [0, 0, -1, 0.0]])
    seen = mesh_depth.rasterize(floor, View(ahead, window, 40, 40))
    below = -((np.arange(40) + 0.5) / 20 - 1) / 2
    expected = np.where((below > 0) & (1 / np.maximum(below, 1e-9) < 50), 1 / below, 1e10)
    np.testing.assert_allclose(seen, np.repeat(expected[:, None], 40, 1), rtol=1e-5)
    empty = mesh_depth.rasterize(np.zeros((0, 3, 3)), View(ahead, window, 40, 40))
    assert (empty == mesh_depth.NOTHING).all()
