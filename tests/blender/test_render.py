"""Final renders of the avatar layer: who wins each pixel, in which colour, at which frame."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_layer, avatar_object, camera_view, cpu_splats

from tests.blender import render_stage as stage

BLUE, GREEN = [0, 0, 1], [0, 1, 0]


@pytest.fixture(autouse=True)
def ball_for_a_head(monkeypatch):
    stage.install(monkeypatch)


@pytest.mark.parametrize("engine", stage.ENGINES)
def test_a_mesh_in_front_hides_the_avatar_and_one_behind_is_hidden(engine, tmp_path):
    scene = stage.build(engine)
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)

    def color(point):
        return seen[stage.pixel_of(scene, point)][:3]

    assert color((-0.04, -0.1, 0.03)) == pytest.approx(stage.SKIN, abs=0.01)
    assert color((0.06, -0.28, 0.0)) == pytest.approx(BLUE, abs=0.01)
    assert color((-0.19, 0.15, 0.0)) == pytest.approx(GREEN, abs=0.01)
    # The cube behind reaches to x = -0.02, where only the avatar may show.
    assert color((-0.06, -0.08, 0.0)) == pytest.approx(stage.SKIN, abs=0.01)
    assert color((0.18, 0.0, 0.1)) == pytest.approx([0, 0, 0], abs=0.01)


def test_a_mesh_that_cuts_the_avatar_is_resolved_on_both_sides_of_the_cut(tmp_path):
    scene = stage.build()
    front = bpy.data.objects["Front"]
    front.location, front.scale = (0.0, -0.1, 0.0), (1, 0.5, 1)  # its face is at y = -0.115
    avatar_layer.set_up(scene)
    head = bpy.data.objects["Head"]
    centre = stage.pixel_of(scene, (0, -0.115, 0))
    assert stage.shoot(scene, tmp_path)[centre][:3] == pytest.approx(BLUE, abs=0.01)
    head.location.y = -0.03  # the ball now bulges 1.5 cm out of the cube's face
    assert stage.shoot(scene, tmp_path)[centre][:3] == pytest.approx(stage.SKIN, abs=0.01)


@pytest.mark.parametrize(
    ("view_transform", "exposure", "tolerance"),
    [
        ("Standard", 0.0, 0.004),
        ("AgX", 0.0, 0.008),
        ("Filmic", 0.0, 0.004),
        ("AgX", 1.0, 0.008),
        ("Raw", 0.0, 0.004),
    ],
)
def test_the_footages_colours_reach_the_screen(view_transform, exposure, tolerance, tmp_path):
    scene = stage.build(view_transform=view_transform)
    scene.view_settings.exposure = exposure
    avatar_layer.set_up(scene)
    patch = stage.shoot(scene, tmp_path)[stage.pixel_of(scene, (0, -0.1, 0.05))]
    assert patch[:3] == pytest.approx(stage.SKIN, abs=tolerance)


@pytest.mark.parametrize("view_transform", ["Standard", "AgX"])
def test_soft_edges_blend_with_what_is_behind_as_the_screen_shows_it(
    view_transform, monkeypatch, tmp_path
):
    """As in training: color * alpha + background * (1 - alpha) in display-referred numbers."""
    thin = stage.ball()._replace(opacities=np.full(4000, 0.05))
    there = avatar_object.Drawn(thin, stage.RADIUS, 0.0)
    monkeypatch.setattr(avatar_object, "drawn", lambda *_: there)
    scene = stage.build(view_transform=view_transform)
    behind = bpy.data.objects["Behind"]
    behind.location, behind.scale = (0, 0.5, 0), (5, 1, 5)
    bare = stage.shoot(scene, tmp_path)
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    layer = scene.likeness_render.layer
    view = camera_view.camera_view(layer_depsgraph(layer), scene, *stage.SIZE)
    splats = cpu_splats.rasterize(thin, view, sharpness=200).color
    alpha = splats[..., 3:]
    front = bare[..., 2] > bare[..., 1]  # the blue cube is nearer
    expected = splats[..., :3] + bare[..., :3] * (1 - alpha)
    error = np.abs(seen[..., :3] - expected)[~front]
    assert ((alpha[~front] > 0.2) & (alpha[~front] < 0.8)).sum() > 1000
    assert np.quantile(error, 0.99) < 0.02
    assert error.mean() < 0.004


def layer_depsgraph(layer: bpy.types.Scene) -> bpy.types.Depsgraph:
    view_layer = layer.view_layers[0]
    view_layer.update()
    return view_layer.depsgraph


def test_light_brighter_than_the_view_shows_passes_unchanged_beside_the_avatar(tmp_path):
    scene = stage.build(view_transform="AgX")
    emission = bpy.data.materials["Behind"].node_tree.nodes["Principled BSDF"]
    emission.inputs["Emission Strength"].default_value = 100
    settings = scene.render.image_settings
    if bpy.app.version >= (5, 0, 0):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR", "32"
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path, suffix="exr")
    assert seen[stage.pixel_of(scene, (-0.19, 0.15, 0.0))][1] == pytest.approx(100, rel=1e-3)


def test_the_view_is_followed_when_it_changes_after_set_up(tmp_path):
    scene = stage.build()
    avatar_layer.set_up(scene)
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.exposure = -0.5
    patch = stage.shoot(scene, tmp_path)[stage.pixel_of(scene, (0, -0.1, 0.05))]
    assert patch[:3] == pytest.approx(stage.SKIN, abs=0.008)


def test_animation_follows_the_keys_and_each_frame_equals_its_still(tmp_path):
    scene = stage.build()
    for name in ("Front", "Behind"):
        bpy.data.objects.remove(bpy.data.objects[name])
    head = bpy.data.objects["Head"]
    for frame, x in ((1, -0.05), (3, 0.05)):
        head.location.x = x
        head.keyframe_insert("location", frame=frame)
    avatar_layer.set_up(scene)
    scene.frame_start, scene.frame_end, scene.frame_step = 1, 3, 2
    scene.render.filepath = f"{tmp_path}/frame_"
    bpy.ops.render.render(animation=True)
    first, last = (stage.picture(f"{tmp_path}/frame_{n:04d}.png") for n in (1, 3))
    moved = _centre(last) - _centre(first)
    expected = stage.pixel_of(scene, (0.05, 0, 0))[1] - stage.pixel_of(scene, (-0.05, 0, 0))[1]
    assert moved == pytest.approx(expected, abs=1.5)  # whole pixels
    scene.frame_set(3)
    np.testing.assert_allclose(stage.shoot(scene, tmp_path), last, atol=1.5 / 255)


def _centre(seen: np.ndarray) -> float:
    """Mean column of the pixels where anything is seen."""
    return float(np.nonzero(seen[..., 0] > 0.4)[1].mean())


def test_motion_blur_smears_the_avatar_along_its_path_while_the_shutter_is_open(tmp_path):
    scene = stage.build()
    for name in ("Front", "Behind"):
        bpy.data.objects.remove(bpy.data.objects[name])
    head = bpy.data.objects["Head"]
    for frame, x in ((0, -0.1), (2, 0.1)):  # 0.1 m in each frame
        head.location.x = x
        head.keyframe_insert("location", frame=frame)
    for channel in stage.channels(head):
        for key in channel.keyframe_points:
            key.interpolation = "LINEAR"
    scene.render.film_transparent = True
    avatar_layer.set_up(scene)
    scene.frame_set(1)
    sharp = stage.shoot(scene, tmp_path)[..., 3]
    scene.render.use_motion_blur = True
    scene.render.motion_blur_shutter, scene.render.motion_blur_position = 0.5, "CENTER"
    blurred = stage.shoot(scene, tmp_path)[..., 3]
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.02)
    row = stage.pixel_of(scene, (0, 0, 0))[0]
    width = (sharp[row] > 0.02).sum()
    # 0.05 m at 0.995 m (the ball's outline) through 80 mm on a 36 mm sensor, 160 pixels.
    path = 0.05 / 0.995 * 80 / 36 * stage.SIZE[0]
    assert (blurred[row] > 0.02).sum() - width == pytest.approx(path * 7 / 8, abs=2)
    assert scene.likeness_render.layer.frame_current_final == 1


@pytest.mark.parametrize("crop", [False, True])
def test_border_and_percentage_show_the_same_picture_in_part(crop, tmp_path):
    scene = stage.build()
    render = scene.render
    render.resolution_percentage = 75
    avatar_layer.set_up(scene)
    whole = stage.shoot(scene, tmp_path)
    render.use_border, render.use_crop_to_border = True, crop
    render.border_min_x, render.border_max_x = 0.3, 0.8
    render.border_min_y, render.border_max_y = 0.2, 0.7
    part = stage.shoot(scene, tmp_path)
    height, width = whole.shape[:2]
    cut = np.s_[int(0.2 * height) : int(0.7 * height), int(0.3 * width) : int(0.8 * width)]
    # Cubes' edges are sampled anew, so compare where the avatar is.
    avatar = np.abs(whole[cut][..., :3] - stage.SKIN).max(-1) < 0.01
    assert avatar.sum() > 500
    shown = part if crop else part[cut]
    assert np.abs(shown[avatar][:, :3] - stage.SKIN).max(-1).mean() < 0.005


def test_both_devices_make_the_same_picture(tmp_path):
    scene = stage.build()
    pictures = {}
    for device in ("GPU", "CPU"):
        scene.likeness_render.device = device
        avatar_layer.set_up(scene)
        pictures[device] = stage.shoot(scene, tmp_path)
        assert scene.likeness_render.layer.render.engine == avatar_layer.ENGINE_IDS[device]
    assert np.abs(pictures["GPU"] - pictures["CPU"]).mean() < 0.002


def test_a_transparent_film_is_opaque_where_the_avatar_is(tmp_path):
    scene = stage.build()
    scene.render.film_transparent = True
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    assert seen[stage.pixel_of(scene, (0, -0.1, 0.05))] == pytest.approx([*stage.SKIN, 1], abs=0.01)
    assert seen[stage.pixel_of(scene, (0.18, 0, 0.1))][3] == 0


def test_an_avatar_hidden_from_renders_is_not_drawn(tmp_path):
    scene = stage.build()
    avatar_layer.set_up(scene)
    centre = stage.pixel_of(scene, (0.0, -0.1, 0.05))
    bpy.data.objects["Head"].hide_render = True
    assert stage.shoot(scene, tmp_path)[centre][:3] == pytest.approx([0, 0, 0], abs=0.01)


@pytest.mark.parametrize("engine", stage.ENGINES)
def test_the_proxy_casts_its_shadow_without_being_seen(engine, tmp_path):
    scene = stage.build(engine)
    bpy.ops.mesh.primitive_plane_add(size=4, location=(0, 0, -0.12))
    bpy.ops.object.light_add(type="SUN")
    under, beside = (0, -0.02, -0.12), (0.15, -0.02, -0.12)
    scene.camera.location.z, scene.camera.rotation_euler.x = 0.1, np.pi / 2 - 0.2
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    dark, lit = (seen[stage.pixel_of(scene, point)][:3].mean() for point in (under, beside))
    assert dark < 0.5 * lit
