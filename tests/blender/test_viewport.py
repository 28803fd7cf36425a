"""Gaussians on the GPU: the same pixels as the NumPy rasteriser, and the right depth in a view.

No window: the viewport's drawing goes into an off-screen buffer with a depth of its own.
"""

from __future__ import annotations

import bpy
import gpu
import numpy as np
import pytest
from gpu_extras.batch import batch_for_shader
from likeness.blender_addon import (
    avatar_object,
    character,
    coordinates,
    cpu_splats,
    scene_depth,
    splat_shader,
    viewport,
    viewport_pictures,
)
from likeness.blender_addon.cpu_splats import View
from likeness.engine.api.baked import GaussianArrays
from mathutils import Matrix

from tests.blender.synthetic import SKIN, make_avatar

WIDTH, HEIGHT = 120, 90
SHARPNESS = 200.0


@pytest.fixture(autouse=True)
def graphics():
    """A GPU context in background mode."""
    if hasattr(gpu, "init"):
        gpu.init()
        return
    render = bpy.context.scene.render  # before 5.2 a first render makes the context
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x = render.resolution_y = 8
    bpy.ops.object.camera_add()
    bpy.context.scene.camera = bpy.context.object
    bpy.ops.render.render()
    bpy.data.objects.remove(bpy.context.object)


def view_from_front(orthographic=False, distance=0.6):
    """Looks along +y at the origin; off-centre, to see that shift is honoured."""
    view = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, -distance], [0, 0, 0, 1.0]])
    focal, near, far = 2.5, 0.01, 10.0
    window = np.zeros((4, 4))
    window[0, 0], window[1, 1] = focal, focal * WIDTH / HEIGHT
    if orthographic:
        window[:2, :2] *= 2
        window[2, 2], window[2, 3], window[3, 3] = -2 / (far - near), -1, 1
    else:
        window[0, 2], window[1, 2] = 0.1, -0.05
        window[2, 2] = -(far + near) / (far - near)
        window[2, 3] = -2 * far * near / (far - near)
        window[3, 2] = -1
    return View(view, window, WIDTH, HEIGHT)


def cloud(count=1500, seed=0):
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    return GaussianArrays(
        means=rng.normal(0, 0.05, (count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales=np.exp(rng.normal(-5.3, 0.5, (count, 3))).astype(np.float32),
        opacities=rng.uniform(0.05, 0.95, count).astype(np.float32),
        colors=rng.uniform(0, 1, (count, 3)).astype(np.float32),
    )


@pytest.mark.parametrize("orthographic", [False, True])
def test_the_gpu_draws_what_the_numpy_rasteriser_draws(orthographic):
    view = view_from_front(orthographic)
    drawn = splat_shader.rasterize(cloud(), view, SHARPNESS)
    exact = cpu_splats.rasterize(cloud(), view, SHARPNESS)
    difference = np.abs(drawn.color - exact.color)
    assert exact.color[..., 3].max() > 0.9
    assert difference.mean() < 2e-4
    assert np.quantile(difference, 0.999) < 0.01  # depths within 2^-16 of the range may swap
    solid = exact.color[..., 3] > 0.5
    assert np.abs(drawn.depth - exact.depth)[solid].max() < 1e-3


def test_a_single_gaussian_is_its_closed_form():
    one = GaussianArrays(
        means=np.float32([[0.02, 0, -0.01]]),
        quats=np.float32([[1, 0, 0, 0]]),
        scales=np.full((1, 3), 0.01, np.float32),
        opacities=np.float32([0.8]),
        colors=np.float32([[0.2, 0.5, 0.9]]),
    )
    view = view_from_front(orthographic=True)
    seen = splat_shader.rasterize(one, view, SHARPNESS).color
    per_metre = view.window_matrix[0, 0] * WIDTH / 2
    center = np.array([WIDTH / 2 + 0.02 * per_metre, HEIGHT / 2 - 0.01 * per_metre])
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    square = (columns - center[0]) ** 2 + (rows - center[1]) ** 2
    alpha = 0.8 * np.exp(-0.5 * square / ((0.01 * per_metre) ** 2 + 0.3))
    alpha[alpha < 1 / 255] = 0
    np.testing.assert_allclose(seen[..., 3], alpha, atol=2e-4)
    np.testing.assert_allclose(seen[..., :3], alpha[..., None] * [0.2, 0.5, 0.9], atol=2e-4)


def test_two_heads_far_apart_both_have_their_depth():
    near, far = cloud(400), cloud(400, seed=1)
    near = near._replace(means=near.means * 0.3 + np.float32([-0.06, 0, 0]))
    far = far._replace(means=far.means * 0.3 + np.float32([0.2, 2.0, 0]))
    both = GaussianArrays(*(np.concatenate(pair) for pair in zip(near, far, strict=True)))
    view = view_from_front()
    together = splat_shader.rasterize(both, view, SHARPNESS)
    for alone in (near, far):
        seen = splat_shader.rasterize(alone, view, SHARPNESS)
        solid = seen.color[..., 3] > 0.9
        assert solid.sum() > 10
        assert np.abs(together.depth - seen.depth)[solid].max() < 0.005


def test_coming_closer_widens_the_blur_with_the_head():
    dot = cloud(1)._replace(scales=np.full((1, 3), 1e-6, np.float32), opacities=np.float32([0.9]))
    dot = dot._replace(means=np.zeros((1, 3), np.float32))
    footprint = 0.3 * (0.6 / (2.5 * WIDTH / 2)) ** 2  # the blur of 0.3 px^2 seen from 0.6 m

    def area(distance):
        target = splat_shader.SplatTarget.create(WIDTH, HEIGHT, "RGBA32F")
        splats = splat_shader.UploadedSplats(dot)
        view = view_from_front(distance=distance)
        splat_shader.draw_splats(splats, view, target, SHARPNESS, footprint=footprint)
        return splat_shader._read(target.color)[..., 3].sum()

    assert area(0.6) == pytest.approx(area(1.2), rel=0.1)  # never below 0.3 px^2
    assert area(0.1) == pytest.approx(36 * area(0.6), rel=0.1)


def test_far_to_near_drops_what_lies_behind_the_camera():
    depths = np.float32([0.5, -1.0, 2.0, 0.005, 1.0])
    assert splat_shader.far_to_near(depths).tolist() == [2, 4, 0]
    assert splat_shader.far_to_near(np.float32([-1, -2])).tolist() == []


def draw_in_view(view, wall_depth):
    """The avatar on a view with a green wall on its left half; RGBA from the bottom up."""
    proxy = character.build(bpy.context, make_avatar(gaussians=6000))
    depsgraph = bpy.context.evaluated_depsgraph_get()
    splats = splat_shader.UploadedSplats(avatar_object.pose(proxy, depsgraph, 6000))
    offscreen = gpu.types.GPUOffScreen(WIDTH, HEIGHT, format="RGBA32F")
    clip = view.window_matrix @ [0, 0, -wall_depth, 1]
    height = float(clip[2] / clip[3])
    with offscreen.bind():
        buffer = gpu.state.active_framebuffer_get()
        buffer.clear(color=(0, 0, 0, 0), depth=1.0)
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("LESS_EQUAL")
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        corners = [(x, y, height) for x in (-1, 0) for y in (-1, 1)]
        wall = batch_for_shader(shader, "TRI_STRIP", {"pos": corners})
        with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
            gpu.matrix.load_identity()
            gpu.matrix.load_projection_matrix(Matrix.Identity(4))
            shader.uniform_float("color", (0, 1, 0, 1))
            wall.draw(shader)
        viewport.draw_one(splats, proxy, view)
        pixels = buffer.read_color(0, 0, WIDTH, HEIGHT, 4, 0, "FLOAT")
    pixels.dimensions = WIDTH * HEIGHT * 4
    return np.array(pixels).reshape(HEIGHT, WIDTH, 4)


LEFT, RIGHT = (slice(40, 50), slice(50, 58)), (slice(40, 50), slice(64, 72))


@pytest.mark.parametrize(("wall", "hidden"), [(0.4, True), (0.8, False)])
def test_a_mesh_in_front_hides_the_avatar_and_one_behind_does_not(wall, hidden):
    seen = draw_in_view(view_from_front(), wall)
    skin = coordinates.linear_from_srgb(np.array(SKIN))
    np.testing.assert_allclose(seen[RIGHT][..., :3].mean((0, 1)), skin, atol=0.05)
    left = seen[LEFT][..., :3].mean((0, 1))
    np.testing.assert_allclose(left, [0, 1, 0] if hidden else skin, atol=0.05)


def test_a_view_from_afar_shows_fewer_gaussians_unless_it_is_told_not_to():
    proxy = character.build(bpy.context, make_avatar(gaussians=400))
    (one,) = avatar_object.appearances(bpy.context.evaluated_depsgraph_get())

    def count(distance):
        return viewport._prepared(one, view_from_front(distance=distance)).count

    assert (count(0.2), count(40)) == (400, 100)
    proxy.likeness.automatic_level = False
    assert count(40) == 400
    proxy.likeness.level = 1
    assert (count(0.2), count(40)) == (200, 200)


def test_a_redraw_in_which_nothing_has_changed_blends_nothing_again(monkeypatch):
    blended = []
    blend = splat_shader.draw_splats
    monkeypatch.setattr(
        splat_shader, "draw_splats", lambda *told: blended.append(told[1]) or blend(*told)
    )
    one, other = (splat_shader.UploadedSplats(cloud(seed=seed)) for seed in (0, 1))
    view, nearer = view_from_front(), view_from_front(distance=0.4)

    def shown(splats, seen):
        return splat_shader._read(viewport_pictures.blend(splats, seen, 20.0, 0.0).target.color)

    first = shown(one, view)
    np.testing.assert_array_equal(shown(one, view), first)
    assert len(blended) == 1
    for splats, seen in ((one, nearer), (other, nearer)):
        assert np.abs(shown(splats, seen) - first).mean() > 0.01
    np.testing.assert_array_equal(shown(one, view), first)
    assert len(blended) == 4


def drawn_depths(view):
    """What `scene_depth` leaves in the depth of a buffer: metres in front of the view [H, W]."""
    space = next(
        area.spaces.active
        for screen in bpy.data.screens
        for area in screen.areas
        if area.type == "VIEW_3D"
    )
    offscreen = gpu.types.GPUOffScreen(WIDTH, HEIGHT)
    with offscreen.bind():
        buffer = gpu.state.active_framebuffer_get()
        buffer.clear(color=(0, 0, 0, 0), depth=0.0)  # as EEVEE leaves it
        with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
            gpu.matrix.load_matrix(Matrix(view.view_matrix))
            gpu.matrix.load_projection_matrix(Matrix(view.window_matrix))
            scene_depth.draw(bpy.context.evaluated_depsgraph_get(), space)
        raw = buffer.read_depth(0, 0, WIDTH, HEIGHT)
        colors = buffer.read_color(0, 0, WIDTH, HEIGHT, 4, 0, "FLOAT")
    raw.dimensions = WIDTH * HEIGHT
    colors.dimensions = WIDTH * HEIGHT * 4
    assert np.abs(np.array(colors)).max() == 0
    heights = np.array(raw, np.float64).reshape(HEIGHT, WIDTH) * 2 - 1
    return view.window_matrix[2, 3] / (heights + view.window_matrix[2, 2])


def test_our_own_scene_depth_is_that_of_the_meshes_in_view():
    bpy.ops.mesh.primitive_cube_add(size=0.2, location=(0, 0.1, 0))
    cube = bpy.context.object
    character.build(bpy.context, make_avatar())  # in front of the cube, and no obstacle to itself
    depths = drawn_depths(view_from_front())
    assert depths[HEIGHT // 2, WIDTH // 2] == pytest.approx(0.6, abs=0.002)
    assert depths[2, 2] > 9
    cube.location.y = 0.4
    assert drawn_depths(view_from_front())[HEIGHT // 2, WIDTH // 2] == pytest.approx(0.9, abs=0.002)
    cube.display_type = "WIRE"
    assert drawn_depths(view_from_front())[HEIGHT // 2, WIDTH // 2] > 9


def test_edited_vertices_are_drawn_where_they_are_now():
    bpy.ops.mesh.primitive_plane_add(size=2, rotation=(np.pi / 2, 0, 0))
    plane = bpy.context.object
    assert drawn_depths(view_from_front())[20, 20] == pytest.approx(0.6, abs=0.002)
    plane.data.attributes["position"].data.foreach_set(
        "vector", [c for v in plane.data.vertices for c in (v.co.x, v.co.y, -0.3)]
    )
    plane.data.update()
    assert drawn_depths(view_from_front())[20, 20] == pytest.approx(0.9, abs=0.002)
