"""Scene lights on an avatar: the shading of matt paint, as Cycles lights it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_layer, importing, irradiance, scene_light
from likeness.blender_addon.coordinates import linear_from_srgb, srgb_from_linear
from mathutils import Vector

from tests.blender import render_stage as stage
from tests.blender import synthetic

GREY = (0.6, 0.6, 0.6)


@pytest.fixture
def scene() -> bpy.types.Scene:
    """An opaque grey ball of an avatar in front of its camera."""
    avatar = synthetic.make_avatar(gaussians=6000, blendshapes=0, frames=1)
    params = avatar.performance.params
    for part in (params.expression, params.neck, params.jaw, params.eyes):
        part[:] = 0  # else the ball is crumpled
    avatar.base[:, :3], avatar.base[:, 11:] = 0, GREY
    avatar.base[:, 10], avatar.base[:, 7:10] = 4, -5.5
    importing.add(bpy.context, avatar, performance=True, match_scene=True)
    scene = bpy.context.scene
    render = scene.render
    render.engine, render.resolution_percentage = "CYCLES", 40
    render.dither_intensity, render.film_transparent = 0, True
    scene.cycles.samples, scene.cycles.use_denoising = 16, False
    scene.cycles.max_bounces = 0
    scene.view_settings.view_transform = "Standard"
    return scene


def add_lamp(kind: str, offset: tuple[float, float, float], energy: float, color=(1, 1, 1)):
    """A lamp that looks at the head from an offset in metres."""
    proxy = bpy.data.objects["Ball"]
    bpy.context.view_layer.update()
    evaluated = proxy.evaluated_get(bpy.context.evaluated_depsgraph_get())
    head = evaluated.matrix_world @ Vector(np.mean(evaluated.bound_box, axis=0))
    lamp = bpy.data.objects.new(kind, bpy.data.lights.new(kind, kind))
    lamp.data.energy, lamp.data.color = energy, color
    lamp.location = head + Vector(offset)
    lamp.rotation_euler = Vector(offset).to_track_quat("Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(lamp)
    return lamp


def test_without_the_slider_lamps_change_nothing(scene, tmp_path):
    avatar_layer.set_up(scene)
    before = stage.shoot(scene, tmp_path)
    add_lamp("SUN", (1, 0, 0), 5.0)
    np.testing.assert_allclose(stage.shoot(scene, tmp_path), before, atol=1 / 255)


@pytest.mark.parametrize(("kind", "energy"), [("SUN", 3.0), ("SPOT", 60.0), ("AREA", 30.0)])
def test_the_avatar_is_lit_as_matt_paint_on_its_mesh_is(kind, energy, scene, tmp_path):
    add_lamp(kind, (1.2, -0.8, 0.6), energy)
    scene.likeness_render.light = 1.0
    avatar_layer.set_up(scene)
    lit = stage.shoot(scene, tmp_path)
    avatar_layer.remove(scene)
    expected = as_paint(scene, tmp_path)
    both = (lit[..., 3] > 0.99) & (expected[..., 3] > 0.99)
    assert both.sum() > 500
    of_us, of_cycles = (linear_from_srgb(seen[both][:, 0]) for seen in (lit, expected))
    assert np.ptp(of_cycles) > 0.2  # it has a bright and a dark side
    assert np.abs(of_us - of_cycles).mean() < 0.07 * of_cycles.max()


def as_paint(scene: bpy.types.Scene, folder: object) -> np.ndarray:
    """What Cycles makes of the proxy head in matt grey."""
    proxy = bpy.data.objects["Ball"]
    material = bpy.data.materials.new("Paint")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    paint = tree.nodes.new("ShaderNodeBsdfDiffuse")
    paint.inputs["Color"].default_value = (*linear_from_srgb(np.array(GREY)), 1)
    tree.links.new(paint.outputs[0], tree.nodes.new("ShaderNodeOutputMaterial").inputs[0])
    proxy.data.materials.clear()
    proxy.data.materials.append(material)
    proxy.visible_camera = True
    return stage.shoot(scene, folder)


def test_a_coloured_lamp_on_one_side_colours_that_side(scene, tmp_path):
    add_lamp("POINT", (1, 0, 0), 60.0, (1, 0.1, 0.1))
    scene.likeness_render.light = 0.5
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    row, columns = seen.shape[0] // 2, np.flatnonzero(seen[seen.shape[0] // 2, :, 3] > 0.99)
    left, right = (seen[row, columns[place]][:3] for place in (4, -5))
    assert right[0] > left[0] + 0.1
    assert right[0] > right[1] + 0.1
    half = srgb_from_linear(0.5 * linear_from_srgb(np.array(GREY)))
    assert left == pytest.approx(half, abs=0.06)


def test_a_plain_world_lights_from_all_sides(scene, tmp_path):
    world = scene.world = bpy.data.worlds.new("World")
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.5, 0.25, 1, 1)
    scene.likeness_render.light = 1.0
    avatar_layer.set_up(scene)
    seen = stage.shoot(scene, tmp_path)
    inside = seen[seen[..., 3] > 0.99][:, :3]
    expected = srgb_from_linear(linear_from_srgb(np.array(GREY)) * [0.5, 0.25, 1])
    assert np.abs(inside - expected).max() < 0.02


def test_nine_numbers_hold_a_far_lamp_to_a_few_per_cent():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    lamp = np.array([[0.6, 0.0, 0.8]])
    light = irradiance.from_lights(lamp, np.full((1, 3), np.pi))
    exact = np.maximum(normals @ lamp[0], 0)
    assert np.abs(irradiance.sent_back(light, normals)[:, 0] - exact).max() < 0.1
    assert np.abs(irradiance.sent_back(light, normals)[:, 0] - exact).mean() < 0.03


def test_normals_of_gaussians_are_those_of_the_proxy_head(scene):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    proxy = bpy.data.objects["Ball"]
    flat = scene_light.head_normals(proxy, depsgraph, 500)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), 1, atol=1e-5)
    mesh = proxy.evaluated_get(depsgraph).data
    faces = scene_light.read(proxy).binding.face[:500]
    of_faces = np.array([mesh.polygons[int(face)].normal for face in faces])
    assert np.einsum("nx,nx->n", flat, of_faces).mean() > 0.9
