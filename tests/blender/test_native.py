"""Native splats: what a point cloud gets. No build here draws them; 5.2 can hold them."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_object, character, native

from tests.blender.synthetic import make_avatar

needs_clouds = pytest.mark.skipif(
    not native.can_store(), reason="point clouds of this Blender have no FLOAT4 or no size"
)


@pytest.fixture
def proxy():
    return character.build(bpy.context, make_avatar(gaussians=500))


def values(cloud, name, prop, width):
    out = np.empty(len(cloud.points) * width, np.float32)
    cloud.attributes[name].data.foreach_get(prop, out)
    return out.reshape(-1, width)


def local(proxy):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return avatar_object.pose(proxy, depsgraph, 500)


def test_a_build_that_cannot_draw_splats_says_so(proxy):
    if "type" in bpy.types.PointCloud.bl_rna.properties:
        assert native.missing_reason() == ""
        return
    assert "5.3" in native.missing_reason()
    assert not bpy.ops.likeness.convert_native.poll()


@needs_clouds
def test_a_native_cloud_holds_the_avatar_in_blenders_conventions(proxy):
    gaussians = local(proxy)
    cloud = native.convert(bpy.context, proxy, live=False).data
    kinds = {attribute.name: attribute.data_type for attribute in cloud.attributes}
    assert kinds == {name: kind for name, kind, _ in native.ATTRIBUTES}
    np.testing.assert_array_equal(values(cloud, "position", "vector", 3)[:500], gaussians.means)
    np.testing.assert_array_equal(values(cloud, "rotation", "value", 4)[:500], gaussians.quats)
    np.testing.assert_allclose(values(cloud, "scale", "vector", 3)[:500], gaussians.scales)
    base = values(cloud, "radiance:base", "vector", 4)[:500]
    shown = 0.5 + 0.28209479 * base[:, :3]
    np.testing.assert_allclose(shown, np.clip(gaussians.colors, -0.1, 1.1), atol=1e-6)
    np.testing.assert_array_equal(base[:, 3], gaussians.opacities)


def test_the_ranges_that_blender_packs_into_do_not_follow_the_pose(proxy):
    rest = native.splat_values(local(proxy))
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 1
    proxy.find_armature().pose.bones["jaw"].rotation_quaternion = (1, 0.05, 0, 0)
    moved = native.splat_values(local(proxy))
    assert np.abs(moved["position"] - rest["position"]).max() > 1e-3
    for name in ("position", "scale", "radiance:base"):
        for bound in (np.min, np.max):
            before, after = (bound(each[name][:, :3], axis=0) for each in (rest, moved))
            np.testing.assert_array_equal(before, after, name)


@needs_clouds
def test_a_live_cloud_follows_sliders_frames_and_undo(proxy):
    obj = native.convert(bpy.context, proxy, live=True)
    name = obj.name
    key = proxy.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.0), (11, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    bpy.context.scene.frame_set(11)
    expected = local(proxy).means
    np.testing.assert_array_equal(values(obj.data, "position", "vector", 3)[:500], expected)
    bpy.context.scene.frame_set(1)
    assert np.abs(values(obj.data, "position", "vector", 3)[:500] - expected).max() > 1e-4
    bpy.ops.ed.undo_push(message="before")
    proxy.data.shape_keys.key_blocks["reduced.00"].value = 1
    bpy.context.view_layer.update()
    moved = values(obj.data, "position", "vector", 3)
    bpy.ops.ed.undo_push(message="slider")
    bpy.ops.ed.undo()
    obj, proxy = bpy.data.objects[name], bpy.data.objects["Ball"]
    back = values(obj.data, "position", "vector", 3)
    assert np.abs(back - moved).max() > 1e-5
    np.testing.assert_array_equal(back[:500], local(proxy).means)


@needs_clouds
def test_the_modifier_that_keeps_motion_blur_changes_nothing(proxy):
    obj = native.convert(bpy.context, proxy, live=True)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = obj.evaluated_get(depsgraph).data
    assert [modifier.type for modifier in obj.modifiers] == ["NODES"]
    for name, _, prop in native.ATTRIBUTES:
        width = 4 if name in {"rotation", "radiance:base"} else 3
        np.testing.assert_array_equal(
            values(evaluated, name, prop, width), values(obj.data, name, prop, width)
        )


@needs_clouds
def test_a_live_cloud_is_shown_instead_of_the_avatar_until_it_is_gone(proxy):
    def is_drawn():
        return bool(list(avatar_object.appearances(bpy.context.evaluated_depsgraph_get())))

    obj = native.convert(bpy.context, proxy, live=True)
    assert not is_drawn()
    character.select_only(bpy.context, obj)
    bpy.ops.object.delete()
    assert is_drawn()
    native.convert(bpy.context, proxy, live=True)
    native.remove(proxy)
    assert is_drawn()
    native.convert(bpy.context, proxy, live=True)
    character.remove(proxy)
    assert not bpy.data.objects
    assert not bpy.data.pointclouds


@needs_clouds
def test_a_copy_of_an_avatar_does_not_hide_behind_the_firsts_cloud(proxy):
    native.convert(bpy.context, proxy, live=True)
    twin = proxy.copy()
    bpy.context.collection.objects.link(twin)
    (one,) = avatar_object.appearances(bpy.context.evaluated_depsgraph_get())
    assert one.avatar == twin
