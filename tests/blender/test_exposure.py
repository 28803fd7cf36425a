"""Open shutters and open lenses: the avatar blurs as light does, as meshes do in Cycles."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_layer, lens
from likeness.blender_addon.coordinates import linear_from_srgb, srgb_from_linear
from likeness.blender_addon.cpu_splats import SplatImage
from likeness.blender_addon.exposure import Exposure

from tests.blender import render_stage as stage


@pytest.fixture
def scene(monkeypatch) -> bpy.types.Scene:
    """The ball alone before a bright wall."""
    stage.install(monkeypatch)
    scene = stage.build()
    bpy.data.objects.remove(bpy.data.objects["Front"])
    wall = bpy.data.objects["Behind"]
    wall.location, wall.scale = (0, 1, 0), (20, 1, 20)
    return scene


def sweep(obj: bpy.types.Object, step: float) -> None:
    """The object moves by `step` metres to the right in each frame, and is in place at frame 1."""
    for frame in (0, 2):
        obj.location.x = step * (frame - 1)
        obj.keyframe_insert("location", frame=frame)
    for channel in stage.channels(obj):
        for key in channel.keyframe_points:
            key.interpolation = "LINEAR"


def test_motion_blur_is_the_mean_of_the_light_of_many_frames(scene, tmp_path):
    sweep(bpy.data.objects["Head"], 0.1)
    avatar_layer.set_up(scene)
    frames = []
    for moment in (np.arange(12) + 0.5) / 12 - 0.5:  # other moments than those of the blur
        scene.frame_set(int(np.floor(1 + moment)), subframe=moment % 1)
        frames.append(linear_from_srgb(stage.shoot(scene, tmp_path)[..., :3]))
    expected = srgb_from_linear(np.mean(frames, axis=0))
    scene.frame_set(1)
    sharp = stage.shoot(scene, tmp_path)[..., :3]
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 1.0
    scene.likeness_render.motion_samples = 16
    blurred = stage.shoot(scene, tmp_path)[..., :3]
    assert np.abs(sharp - expected).mean() > 0.02
    assert np.abs(blurred - expected).mean() < 0.005
    # 12 and 16 steps of 22 pixels
    assert np.quantile(np.abs(blurred - expected), 0.99) < 0.08


@pytest.mark.parametrize(("kind", "focus"), [("PERSP", 2.0), ("ORTHO", 0.5)])
def test_out_of_focus_the_avatar_blurs_as_a_mesh_in_its_place_does(kind, focus, scene, tmp_path):
    camera = scene.camera.data
    camera.type, camera.ortho_scale = kind, 0.5
    scene.likeness_render.lens_samples = 48
    avatar_layer.set_up(scene)
    sharp = stage.shoot(scene, tmp_path)[..., :3]
    camera.dof.use_dof, camera.dof.focus_distance = True, focus
    camera.dof.aperture_fstop = 0.5 if kind == "PERSP" else 8.0
    blurred = stage.shoot(scene, tmp_path)[..., :3]
    avatar_layer.remove(scene)
    as_mesh(bpy.data.objects["Head"])
    scene.cycles.samples = 64
    expected = stage.shoot(scene, tmp_path)[..., :3]
    assert np.abs(blocks(sharp) - blocks(expected)).mean() > 0.02
    assert np.abs(blocks(blurred) - blocks(expected)).mean() < 0.01


def blocks(picture: np.ndarray) -> np.ndarray:
    """Means of 5 x 5 pixels: Cycles' noise is not what is compared."""
    height, width = stage.SIZE[1] // 5, stage.SIZE[0] // 5
    return picture.reshape(height, 5, width, 5, -1).mean((1, 3))


def as_mesh(head: bpy.types.Object) -> None:
    """The ball as a mesh that is seen: as large as its Gaussians reach, shining in their colour."""
    head.visible_camera, head.scale = True, (1.115, 1.115, 1.115)
    head.data.materials.append(bpy.data.materials["Behind"].copy())
    inputs = head.data.materials[0].node_tree.nodes["Principled BSDF"].inputs
    inputs["Emission Color"].default_value = (*linear_from_srgb(stage.SKIN), 1)
    inputs["Specular IOR Level"].default_value = 0


def test_what_is_in_focus_stays_sharp(scene, tmp_path):
    avatar_layer.set_up(scene)
    sharp = stage.shoot(scene, tmp_path)
    dof = scene.camera.data.dof
    dof.use_dof, dof.aperture_fstop = True, 1.4
    dof.focus_object = bpy.data.objects["Head"]
    focused = stage.shoot(scene, tmp_path)
    dof.focus_object = bpy.data.objects["Behind"]
    behind = stage.shoot(scene, tmp_path)
    assert np.abs(focused - sharp).mean() < 0.003
    assert np.abs(behind - sharp).mean() > 0.01


@pytest.mark.parametrize("blades", [0, 3, 6])
def test_points_of_the_lens_fill_its_aperture_evenly(blades):
    aperture = lens.Lens(radius=0.02, focus=1.0, blades=blades, rotation=0.3, ratio=2.0)
    points = lens.points(aperture, 4000) * [2.0, 1.0] / 0.02
    assert np.abs(points.mean(0)).max() < 0.01
    reach, turn = np.linalg.norm(points, axis=1), np.arctan2(points[:, 1], points[:, 0]) - 0.3
    edge = np.ones(4000)
    if blades:
        from_middle = turn % (2 * np.pi / blades) - np.pi / blades
        edge = np.cos(np.pi / blades) / np.cos(from_middle)
    assert (reach <= edge + 1e-9).all()
    assert np.mean(reach < edge / 2) == pytest.approx(0.25, abs=0.01)


def test_a_strand_and_an_edge_that_moved_are_told_apart():
    def picture(alpha):
        color = np.full((1, 1, 4), [0.6 * alpha, 0.5 * alpha, 0.4 * alpha, alpha], np.float32)
        return SplatImage(color, np.ones((1, 1), np.float32))

    strand, edge = Exposure(1, 1), Exposure(1, 1)
    for moment in range(8):
        strand.add(picture(0.5))
        edge.add(picture(float(moment % 2)))
    for exposure, spread in ((strand, 0), (edge, 1)):
        seen = exposure.develop()
        np.testing.assert_allclose(seen.color[0, 0], [0.3, 0.25, 0.2, 0.5], atol=1e-5)
        assert seen.spread[0, 0] == pytest.approx(spread, abs=1e-5)
        assert seen.depth[0, 0] == pytest.approx(1)
