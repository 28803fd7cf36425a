"""Layers and geometry that the feed-forward networks share, against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.api.errors import TrackingError
from engine.gaussians import Cameras
from engine.mesh import raster_mesh
from engine.methods.feedforward.layers import Attention, Pyramid, PyramidDecoder, waves
from engine.methods.feedforward.picture_losses import depth_error, over, silhouette
from engine.methods.feedforward.projection import (
    head_cameras,
    pixel_rays,
    plucker_rays,
    project,
    sample,
    skull_poses,
    visible,
)
from engine.methods.feedforward.surface import surface_maps
from tests.engine.painted_person import painted_avatar, painted_views

K = torch.tensor([[[100.0, 0, 32], [0, 90, 24], [0, 0, 1]]])
TURNED = torch.tensor([[[0.0, 0, 1, 0.1], [0, 1, 0, 0.2], [-1, 0, 0, 0.5], [0, 0, 0, 1]]])


@pytest.fixture(scope="module")
def views():
    return painted_views(3, 96)


def test_attention_is_softmax_of_scaled_products():
    torch.manual_seed(0)
    attention = Attention(4, 2)
    tokens, context = torch.randn(1, 3, 4), torch.randn(1, 5, 4)
    query = attention.query(tokens)[0]
    key, value = attention.key_value(context)[0].chunk(2, dim=-1)
    heads = []
    for half in (slice(0, 2), slice(2, 4)):
        weight = (query[:, half] @ key[:, half].T / 2**0.5).softmax(-1)
        heads.append(weight @ value[:, half])
    expected = attention.out(torch.cat(heads, dim=-1))
    assert torch.allclose(attention(tokens, context)[0], expected, atol=1e-6)


def test_waves_double_their_frequency():
    found = waves(torch.tensor([[0.3]]), 3, lowest=2.0)[0]
    angles = np.array([0.6, 1.2, 2.4])
    assert np.allclose(found, [*np.sin(angles), *np.cos(angles)], atol=1e-6)


def test_the_pyramid_halves_and_its_decoder_doubles():
    levels = Pyramid(4, (8, 16, 24))(torch.zeros(2, 4, 32, 32))
    assert [tuple(level.shape) for level in levels] == [
        (2, 8, 16, 16), (2, 16, 8, 8), (2, 24, 4, 4),
    ]  # fmt: skip
    assert PyramidDecoder(40, (16, 8))(torch.zeros(2, 40, 4, 4), levels[1::-1]).shape[2:] == (
        16,
        16,
    )


def test_a_point_projects_to_the_pixel_whose_ray_goes_through_it():
    point = torch.tensor([[[-0.2, 0.1, 0.3]]])
    pixels, depth = project(point, TURNED, K)
    # Camera space by hand: x = 0.3 + 0.1, y = 0.1 + 0.2, z = 0.2 + 0.5.
    assert torch.allclose(depth, torch.tensor([[0.7]]))
    assert torch.allclose(pixels[0, 0], torch.tensor([32 + 100 * 0.4 / 0.7, 24 + 90 * 0.3 / 0.7]))
    column, row = pixels[0, 0].floor().long().tolist()
    centred = K.clone()
    centred[0, :2, 2] += torch.tensor([column + 0.5, row + 0.5]) - pixels[0, 0]
    ray = plucker_rays(TURNED, centred, 128, 96, 96, 128)[0, :, row, column]
    direction, moment = ray[:3], ray[3:]
    assert torch.allclose(direction.norm(), torch.tensor(1.0))
    assert torch.allclose(moment, torch.linalg.cross(point[0, 0], direction), atol=1e-6)


def test_pixel_rays_have_unit_depth():
    rays = pixel_rays(K, 64, 48, 6, 8)
    assert torch.allclose(rays[..., 2], torch.ones(1, 6, 8))
    # The first cell of 8 x 8 pixels has its middle at (4, 4).
    assert torch.allclose(rays[0, 0, 0, :2], torch.tensor([(4 - 32) / 100, (4 - 24) / 90]))


def test_sampling_reads_pixel_centres_exactly_and_between_them_linearly():
    maps = torch.arange(12.0).view(1, 1, 3, 4)
    pixels = torch.tensor([[[0.5, 0.5], [2.5, 1.5], [1.0, 0.5], [3.5, 2.0]]])
    truth = pytest.approx([0, 6, 0.5, 9], abs=1e-5)
    assert sample(maps, pixels, 4, 3)[0, :, 0].tolist() == truth
    # The same places of a map of half the resolution.
    assert sample(maps, pixels * 2, 8, 6)[0, :, 0].tolist() == truth


def test_the_skull_pose_is_the_motion_whatever_the_face_does(views):
    angle = 0.3
    turn = torch.tensor(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]],
        dtype=torch.float32,
    )
    shift = torch.tensor([0.1, -0.2, 0.7])
    before = skull_poses(views.head, views.vertices)
    after = skull_poses(views.head, views.vertices @ turn.T + shift)
    motion = torch.eye(4)
    motion[:3, :3], motion[:3, 3] = turn, shift
    assert torch.allclose(after, motion @ before, atol=1e-4)


def test_cameras_of_the_head_see_the_skull_where_those_of_the_world_do(views):
    rest = torch.from_numpy(np.array(views.head.vertices)).expand(3, -1, -1)
    own, _ = project(rest, head_cameras(views), views.cameras.Ks)
    world, _ = project(views.vertices, views.cameras.viewmats, views.cameras.Ks)
    apart = (own - world).norm(dim=-1)
    assert apart.quantile(0.3) < 0.1  # pixels; jaw, lips and lids move


def test_surface_maps_are_the_z_buffer_of_the_mesh(views):
    maps = surface_maps(views.vertices, views.head.faces, views.cameras, 48, 48)
    pixels, depth = project(views.vertices, views.cameras.viewmats, views.cameras.Ks)
    projected = torch.cat([pixels / 2, depth[..., None]], dim=-1)[1].double().numpy()
    truth, face, _ = raster_mesh(projected, views.head.faces, 48, 48)
    covered = maps.covered[1].numpy()
    assert np.array_equal(covered, face >= 0)
    assert np.allclose(maps.depth[1].numpy()[covered], truth[covered], atol=1e-5)
    assert (maps.face[1].numpy()[covered] == face[covered]).mean() > 0.999
    # What is beyond the mesh has what the nearest covered cell has.
    assert np.isin(maps.face[1].numpy(), face[covered]).all()


def test_a_picture_without_the_head_is_said_so(views):
    away = views.vertices + torch.tensor([5.0, 0, 0])
    with pytest.raises(TrackingError, match="nothing of the tracked head"):
        surface_maps(away, views.head.faces, views.cameras, 16, 16)


def test_points_behind_the_surface_or_outside_the_picture_are_not_seen():
    surface = torch.full((1, 4, 4), 0.5)
    surface[0, 0, 0] = torch.inf
    pixels = torch.tensor([[[4.0, 4], [4, 4], [4, 4], [1, 1], [9, 4], [4, -1]]])
    depths = torch.tensor([[0.5, 0.509, 0.52, 3.0, 0.4, 0.4]])
    seen = visible(pixels, depths, surface, 8, 8, tolerance=0.01)
    assert seen[0].tolist() == [True, True, False, True, False, False]


def test_regressed_gaussians_bake_exactly(views):
    avatar = painted_avatar()
    base, deltas, weight_map = avatar.linear(views.codes)
    assert np.array_equal(base, avatar.raw.numpy())
    assert deltas.shape == (0, *base.shape)
    assert weight_map.layers == ()


def test_losses_of_small_pictures(views):
    alphas = torch.full((3, 96, 96, 1), 0.25)
    blank = replace(views, pictures=torch.zeros_like(views.pictures))
    assert silhouette(alphas, blank) == pytest.approx(0.25)
    depths = torch.tensor([1.0, 0.8, 0.2, 1.0]).view(1, 2, 2, 1)
    covers = torch.tensor([1.0, 0.8, 0.2, 1.0]).view(1, 2, 2, 1)
    truth = torch.tensor([0.9, 1.1, 5.0, 0.0]).view(1, 2, 2)
    # The third pixel is hardly covered, the fourth's depth is not known.
    assert depth_error(depths, covers, truth) == pytest.approx(0.1)
    grey = over(torch.full((1, 1, 1, 3), 0.3), torch.full((1, 1, 1, 1), 0.6), torch.ones(1, 3))
    assert grey.flatten().tolist() == pytest.approx([0.7] * 3)


def test_cameras_of_views_can_be_chosen(views):
    assert isinstance(views[[2, 0]].cameras, Cameras)
    assert torch.equal(views[[2, 0]].vertices[1], views.vertices[0])
