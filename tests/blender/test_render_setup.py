"""Setting up and removing the avatar render: the user's compositor and scene stay theirs."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_layer, compositing, compositor_tree

from tests.blender import render_stage as stage


@pytest.fixture(autouse=True)
def ball_for_a_head(monkeypatch):
    stage.install(monkeypatch)


def snapshot(scene: bpy.types.Scene) -> dict:
    """Everything set-up may touch."""
    tree = compositor_tree.find_tree(scene)
    nodes, links = set(), set()
    if tree is not None:
        nodes = {(node.name, node.bl_idname, tuple(node.location)) for node in tree.nodes}
        links = {
            (k.from_node.name, k.from_socket.identifier, k.to_node.name, k.to_socket.identifier)
            for k in tree.links
        }
    return {
        "nodes": nodes,
        "links": links,
        "scenes": [s.name for s in bpy.data.scenes],
        "groups": [group.name for group in bpy.data.node_groups],
        "depth": [layer.use_pass_z for layer in scene.view_layers],
        "compositing": scene.render.use_compositing,
        "device": scene.render.compositor_device,
        "objects": {obj.name: obj.users for obj in bpy.data.objects},
    }


def graded_scene() -> bpy.types.Scene:
    """A scene whose user dims the render by one stop in the compositor."""
    scene = stage.build()
    tree = compositor_tree.make_tree(scene)
    for node in [n for n in tree.nodes if n.bl_idname == "CompositorNodeRLayers"]:
        tree.nodes.remove(node)
    render = tree.nodes.new("CompositorNodeRLayers")
    dim = tree.nodes.new("CompositorNodeExposure")
    dim.inputs["Exposure"].default_value = -1
    tree.links.new(render.outputs["Image"], dim.inputs["Image"])
    tree.links.new(dim.outputs["Image"], compositor_tree.find_output(tree))
    return scene


@pytest.mark.parametrize("make", [stage.build, graded_scene])
def test_removing_leaves_no_trace(make):
    scene = make()
    before = snapshot(scene)
    avatar_layer.set_up(scene)
    assert snapshot(scene) != before
    avatar_layer.remove(scene)
    assert snapshot(scene) == before
    assert scene.likeness_render.layer is None


def test_the_users_grade_still_works_on_the_scene_behind_the_avatar(tmp_path):
    scene = graded_scene()
    behind = stage.pixel_of(scene, (-0.19, 0.15, 0.0))
    before = stage.shoot(scene, tmp_path)[behind]
    avatar_layer.set_up(scene)
    after = stage.shoot(scene, tmp_path)
    assert before[1] == pytest.approx(0.735, abs=0.01)  # sRGB of 0.5
    assert after[behind] == pytest.approx(before, abs=0.004)
    face = after[stage.pixel_of(scene, (0, -0.1, 0.05))]
    assert face[:3] == pytest.approx(stage.SKIN, abs=0.004)


def test_setting_up_twice_is_setting_up_once():
    scene = stage.build()
    avatar_layer.set_up(scene)
    once = snapshot(scene)
    avatar_layer.set_up(scene)
    assert snapshot(scene) == once


def test_removal_closes_the_graph_wherever_the_user_has_moved_our_group():
    scene = graded_scene()
    before = snapshot(scene)
    avatar_layer.set_up(scene)
    tree = compositor_tree.find_tree(scene)
    ours = compositing.find_group_node(scene)
    dim = next(node for node in tree.nodes if node.bl_idname == "CompositorNodeExposure")
    render = next(
        n for n in tree.nodes if n.bl_idname == "CompositorNodeRLayers" and n.scene == scene
    )
    tree.links.new(render.outputs["Image"], ours.inputs["Image"])
    tree.links.new(ours.outputs["Image"], dim.inputs["Image"])
    tree.links.new(dim.outputs["Image"], compositor_tree.find_output(tree))
    avatar_layer.remove(scene)
    assert snapshot(scene) == before


def test_nodes_the_user_adds_after_set_up_survive_its_removal():
    scene = stage.build()
    avatar_layer.set_up(scene)
    tree = compositor_tree.find_tree(scene)
    added = [tree.nodes.new("CompositorNodeBlur").name for _ in range(4)]
    avatar_layer.remove(scene)
    assert set(added) <= {node.name for node in compositor_tree.find_tree(scene).nodes}


def test_an_avatar_added_after_set_up_is_rendered(tmp_path):
    scene = stage.build()
    avatar_layer.set_up(scene)
    second = bpy.data.objects["Head"].copy()
    second.location = (0.14, 0.1, 0.1)
    scene.collection.objects.link(second)
    seen = stage.shoot(scene, tmp_path)[stage.pixel_of(scene, (0.16, 0.0, 0.12))]
    assert seen[:3] == pytest.approx(stage.SKIN, abs=0.01)


def test_camera_markers_switch_the_avatars_camera_too(tmp_path):
    scene = stage.build()
    bpy.ops.object.camera_add(location=(1, 0, 0), rotation=(1.5708, 0, 1.5708))
    side = bpy.context.object
    scene.timeline_markers.new("front", frame=1).camera = scene.camera
    scene.timeline_markers.new("side", frame=2).camera = side
    avatar_layer.set_up(scene)
    scene.frame_set(2)
    seen = stage.shoot(scene, tmp_path)
    assert scene.camera == side
    centre = seen[stage.SIZE[1] // 2, stage.SIZE[0] // 2]
    assert centre[:3] == pytest.approx(stage.SKIN, abs=0.01)


def test_an_animation_cuts_from_camera_to_camera(tmp_path):
    scene = stage.build()
    for name in ("Front", "Behind"):
        bpy.data.objects.remove(bpy.data.objects[name])
    bpy.ops.object.camera_add(location=(0.1, -1, 0), rotation=(1.5708, 0, 0))
    scene.timeline_markers.new("middle", frame=1).camera = scene.camera
    scene.timeline_markers.new("beside", frame=2).camera = bpy.context.object
    bpy.context.object.data.lens = scene.camera.data.lens
    avatar_layer.set_up(scene)
    scene.frame_end, scene.render.filepath = 2, f"{tmp_path}/cut_"
    bpy.ops.render.render(animation=True)
    first, second = (stage.picture(f"{tmp_path}/cut_{n:04d}.png")[..., 0] > 0.4 for n in (1, 2))
    left = round(0.1 * 80 / 36 * stage.SIZE[0])  # 0.1 m at 1 m
    assert np.mean(second[:, :-left] != first[:, left:]) < 0.01
    assert np.mean(second != first) > 0.05


def test_the_operators_say_why_they_are_disabled():
    scene = stage.build()
    assert not bpy.ops.likeness.remove_render.poll()
    bpy.ops.likeness.set_up_render()
    assert compositing.is_set_up(scene)
    assert not bpy.ops.likeness.set_up_render.poll()
    bpy.ops.likeness.remove_render()
    assert not compositing.is_set_up(scene)
    bpy.data.objects.remove(bpy.data.objects["Head"])
    assert not bpy.ops.likeness.set_up_render.poll()


def test_a_saved_scene_renders_its_avatars_when_opened_again(tmp_path):
    scene = stage.build()
    avatar_layer.set_up(scene)
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.data.scenes[0]
    assert compositing.is_set_up(scene)
    patch = stage.shoot(scene, tmp_path)[stage.pixel_of(scene, (0, -0.1, 0.05))]
    assert patch[:3] == pytest.approx(stage.SKIN, abs=0.004)
    avatar_layer.remove(scene)
    assert len(bpy.data.scenes) == 1


def test_a_layer_that_was_deleted_by_hand_is_set_up_or_removed_cleanly(tmp_path):
    scene = graded_scene()
    before = snapshot(scene)
    avatar_layer.set_up(scene)
    bpy.data.scenes.remove(scene.likeness_render.layer)
    assert not compositing.is_set_up(scene)
    avatar_layer.set_up(scene)
    groups = [n for n in compositor_tree.find_tree(scene).nodes if n.get(compositing.MARK)]
    assert len(groups) == 2  # the group and its Render Layers node, once
    patch = stage.shoot(scene, tmp_path)[stage.pixel_of(scene, (0, -0.1, 0.05))]
    assert patch[:3] == pytest.approx(stage.SKIN, abs=0.004)
    bpy.data.scenes.remove(scene.likeness_render.layer)
    bpy.ops.likeness.remove_render()
    assert snapshot(scene) == before


def test_two_view_layers_hide_the_avatar_by_whichever_is_nearer(tmp_path):
    scene = stage.build()
    near = bpy.data.collections.new("Near")
    scene.collection.children.link(near)
    front = bpy.data.objects["Front"]
    scene.collection.objects.unlink(front)
    near.objects.link(front)
    scene.view_layers[0].layer_collection.children["Near"].exclude = True
    second = scene.view_layers.new("Second")
    tree = compositor_tree.make_tree(scene)
    far_render = next(
        (n for n in tree.nodes if n.bl_idname == "CompositorNodeRLayers"), None
    ) or tree.nodes.new("CompositorNodeRLayers")
    near_render = tree.nodes.new("CompositorNodeRLayers")
    near_render.layer = second.name
    over = tree.nodes.new("CompositorNodeAlphaOver")
    background, foreground, _ = compositor_tree.over_inputs(over)
    tree.links.new(far_render.outputs["Image"], background)
    tree.links.new(near_render.outputs["Image"], foreground)
    tree.links.new(over.outputs["Image"], compositor_tree.find_output(tree))
    scene.render.film_transparent = True
    before = snapshot(scene)
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    assert seen[stage.pixel_of(scene, (0.06, -0.28, 0.0))][:3] == pytest.approx([0, 0, 1], abs=0.01)
    assert seen[stage.pixel_of(scene, (-0.04, -0.1, 0.0))][:3] == pytest.approx(
        stage.SKIN, abs=0.01
    )
    avatar_layer.remove(scene)
    assert snapshot(scene) == before
