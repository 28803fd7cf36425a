"""What mirrors and bounced light see of an avatar: its proxy head in the Gaussians' colours."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_layer, character, proxy_skin
from likeness.blender_addon.coordinates import linear_from_srgb

from tests.blender import render_stage as stage
from tests.blender.synthetic import SKIN, make_avatar

RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
ON_FLOOR = (0, -0.4, -0.15)  # a place where a mirror shows the head to the camera


@pytest.fixture
def two_coloured():
    """Gaussians on the left half of the head (x > 0): red ones above, blue ones below."""
    avatar = make_avatar(gaussians=3000)
    centres = avatar.head.vertices[avatar.head.faces].mean(axis=1)
    left = np.flatnonzero(centres[:, 0] > 0)
    avatar.binding.face[:] = left[avatar.binding.face % len(left)]
    above = centres[avatar.binding.face, 1] > 0
    avatar.base[:, 11:] = np.where(above[:, None], RED, BLUE)
    return avatar


def painted(proxy):
    """The colours [V, 3] of the proxy head's vertices, linear."""
    colors = np.empty((len(proxy.data.vertices), 4), np.float32)
    proxy.data.attributes[proxy_skin.COLOR].data.foreach_get("color", colors.ravel())
    return colors[:, :3]


def test_vertices_have_the_colours_of_the_gaussians_round_them(two_coloured):
    proxy = character.build(bpy.context, two_coloured)
    x, y, _ = two_coloured.head.vertices.T
    height = np.ptp(y)
    for color, side in ((RED, y > 0.15 * height), (BLUE, y < -0.15 * height)):
        expected = np.tile(linear_from_srgb(np.array(color)), (len(x), 1))
        carrying, bare = side & (x > 0.01), side & (x < -0.01)
        np.testing.assert_allclose(painted(proxy)[carrying], expected[carrying], atol=1e-3)
        # The right half has none: each side goes on there, and mixes where the two meet.
        assert np.abs(painted(proxy)[bare] - expected[bare]).max(axis=1).mean() < 0.2


def test_the_next_preview_paints_over_and_a_material_of_the_users_own_stays(two_coloured):
    proxy = character.build(bpy.context, make_avatar())
    assert [material.name for material in proxy.data.materials] == ["Likeness Skin"]
    own = bpy.data.materials.new("Own")
    proxy.data.materials[0] = own
    character.replace(proxy, two_coloured)
    assert list(proxy.data.materials) == [own]
    assert np.abs(painted(proxy) - linear_from_srgb(np.array(SKIN))).max() > 0.3


@pytest.fixture
def scene():
    """An avatar of one colour over a floor in a dark world, filmed from a metre before it."""
    avatar = make_avatar(blendshapes=0)
    proxy = character.build(bpy.context, avatar)
    proxy.name = "Head"
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=4, location=(0, 0, -0.15))
    bpy.ops.object.camera_add(location=(0, -1, 0), rotation=(np.pi / 2, 0, 0))
    scene.camera = bpy.context.object
    scene.camera.data.lens = 25
    render = scene.render
    render.engine = stage.ENGINES["CYCLES"]
    render.resolution_x, render.resolution_y = stage.SIZE
    render.dither_intensity = 0
    scene.cycles.samples, scene.cycles.use_denoising = 16, False
    scene.view_settings.view_transform = "Standard"
    avatar_layer.set_up(scene)
    return scene


def lay_floor(**values):
    """The floor's material: a Principled BSDF of these values."""
    material = bpy.data.materials.new("Floor")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    for name, value in values.items():
        inputs = material.node_tree.nodes["Principled BSDF"].inputs
        inputs[name.replace("_", " ")].default_value = value
    bpy.data.objects["Plane"].data.materials.append(material)


def test_a_mirror_shows_the_head_in_the_colours_that_the_camera_sees(scene, tmp_path):
    lay_floor(Metallic=1.0, Roughness=0.0, Base_Color=(1, 1, 1, 1))
    seen = stage.shoot(scene, tmp_path)
    direct, mirrored = (
        seen[stage.pixel_of(scene, point)][:3] for point in ((0, -0.1, 0.03), ON_FLOOR)
    )
    assert direct == pytest.approx(SKIN, abs=0.02)
    assert mirrored == pytest.approx(direct, abs=0.02)
    bpy.data.objects["Head"].hide_render = True
    assert stage.shoot(scene, tmp_path)[stage.pixel_of(scene, ON_FLOOR)][:3].max() < 0.02


def test_what_mirrors_show_lights_nothing(scene, tmp_path):
    lay_floor(Roughness=1.0, Specular_IOR_Level=0.0)
    assert stage.shoot(scene, tmp_path)[stage.pixel_of(scene, ON_FLOOR)][:3].max() < 0.02
