"""What leaves Blender as a file is what the scene shows."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_object, character, export
from likeness.engine.api.avatar_file import read_avatar, write_avatar
from likeness.engine.api.rotations import matrix_from_quat

from tests.blender.synthetic import make_avatar
from tests.blender.test_character import assert_same_avatar
from tests.splat_readers import gaussians_of_ply, read_glb, read_ply

Y_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # Blender's (x, y, z) is glTF's (x, z, -y)


@pytest.fixture
def proxy():
    return character.build(bpy.context, make_avatar())


def shown(proxy, level=0):
    return avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get(), level)


def covariances(quats, scales):
    axes = matrix_from_quat(quats) * scales[..., None, :]
    return axes @ axes.swapaxes(-1, -2)


@pytest.mark.parametrize("scale", [(1, 1, 1), (2, 0.5, 1), (-1, 1, 1)])
def test_a_ply_holds_the_gaussians_of_a_turned_and_stretched_avatar(proxy, tmp_path, scale):
    rig = proxy.find_armature()
    rig.location, rig.rotation_euler, rig.scale = (1, 2, 3), (0.3, 0.2, 0.8), scale
    proxy.data.shape_keys.key_blocks["jawOpen"].value = 0.7
    path = tmp_path / "ball.ply"
    assert bpy.ops.likeness.export_ply(filepath=str(path), axes="z-up") == {"FINISHED"}
    means, quats, scales, opacities, colors = gaussians_of_ply(read_ply(path))
    expected = shown(proxy)
    np.testing.assert_allclose(means, expected.means, atol=1e-5)
    np.testing.assert_allclose(
        covariances(quats, scales), covariances(expected.quats, expected.scales), atol=3e-9
    )
    np.testing.assert_allclose(opacities, expected.opacities, atol=1e-5)
    np.testing.assert_allclose(colors, expected.colors, atol=1e-5)


def test_a_glb_is_y_up_and_has_a_node_for_each_avatar(proxy, tmp_path):
    twin = character.build(bpy.context, make_avatar(seed=3))
    twin.find_armature().location.x = 1
    path = tmp_path / "both.glb"
    bpy.ops.likeness.export_glb(filepath=str(path), which="SHOWN")
    document, meshes = read_glb(path)
    by_name = {node["name"]: meshes[node["mesh"]]["POSITION"] for node in document["nodes"]}
    assert set(by_name) == {proxy.name, twin.name}
    for obj in (proxy, twin):
        np.testing.assert_allclose(by_name[obj.name], shown(obj).means @ Y_UP.T, atol=1e-5)


def test_a_sequence_has_a_file_for_each_frame_and_leaves_the_scene_where_it_was(proxy, tmp_path):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 3, 7
    scene.frame_set(20)
    keys = proxy.data.shape_keys.key_blocks
    for frame, value in ((3, 0.0), (7, 1.0)):
        keys["jawOpen"].value = value
        keys["jawOpen"].keyframe_insert("value", frame=frame)
    bpy.ops.likeness.export_ply(
        filepath=str(tmp_path / "ball.ply"), axes="z-up", animation=True, step=2
    )
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["ball_0003.ply", "ball_0005.ply", "ball_0007.ply"]
    assert scene.frame_current == 20
    for name, frame in zip(files, (3, 5, 7), strict=True):
        scene.frame_set(frame)
        means = gaussians_of_ply(read_ply(tmp_path / name))[0]
        np.testing.assert_allclose(means, shown(proxy).means, atol=1e-5)


def test_a_sequence_that_is_stopped_keeps_whole_files_and_the_scenes_frame(proxy, tmp_path):
    bpy.context.scene.frame_set(5)
    choice = export.Choice(tmp_path / "ball.glb", [proxy.name])
    steps = export.write_frames(bpy.context, choice, range(1, 100))
    assert [next(steps), next(steps)] == pytest.approx([1 / 99, 2 / 99])
    steps.close()
    assert bpy.context.scene.frame_current == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball_0001.glb", "ball_0002.glb"]


def test_a_level_of_detail_writes_fewer(proxy, tmp_path):
    path = tmp_path / "ball.ply"
    bpy.ops.likeness.export_ply(filepath=str(path), level=1)
    assert len(read_ply(path)["x"]) == len(shown(proxy, 1).means) < 2000


def test_an_avatar_comes_back_out_of_a_saved_blend_unchanged(tmp_path):
    avatar = make_avatar()
    character.build(bpy.context, avatar)
    blend, path = str(tmp_path / "ball.blend"), tmp_path / "ball.likeness"
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    bpy.ops.wm.open_mainfile(filepath=blend)
    assert bpy.ops.likeness.export_avatar(filepath=str(path)) == {"FINISHED"}
    write_avatar(tmp_path / "direct.likeness", avatar)
    assert path.read_bytes() == (tmp_path / "direct.likeness").read_bytes()
    assert_same_avatar(read_avatar(path), avatar)


@pytest.mark.parametrize("name", ["export_ply", "export_glb", "export_avatar"])
def test_exporting_says_what_is_wrong(proxy, tmp_path, name):
    export_to = getattr(bpy.ops.likeness, name)
    suffix = {"export_ply": "ply", "export_glb": "glb", "export_avatar": "likeness"}[name]
    with pytest.raises(RuntimeError, match="cannot be written"):
        export_to(filepath=str(tmp_path / "nowhere" / f"x.{suffix}"))
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="Select an avatar"):
        export_to(filepath=str(tmp_path / f"x.{suffix}"))
