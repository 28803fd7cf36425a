"""The torch binding against its NumPy truth, and the UV sampling against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from engine.api.baked import MEANS, QUATS, carry
from engine.api.head import HeadParams
from engine.binding import (
    SurfaceBinding,
    _Carry,
    covering,
    texel_spacing,
    uniform_uv_binding,
    uv_tangents,
)
from engine.heads.builtin import builtin_head
from engine.rotations import multiply_quats
from tests.engine.ellipsoid import RADII, ellipsoid_head

UV_SIZE = 32


@pytest.fixture(scope="module")
def posed():
    """Head, binding, random raw Gaussians [2, N, 14] and posed vertices [2, V, 3]."""
    head = ellipsoid_head()
    binding = uniform_uv_binding(head, UV_SIZE)
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 0.3, (2, len(binding.face), 14)).astype(np.float32)
    params = HeadParams.neutral(3, 2)
    params.expression[:] = rng.uniform(0, 1, (2, 3))
    params.neck[:], params.rotation[:] = rng.normal(0, 0.5, (2, 2, 3))
    return head, binding, raw, head.pose(params).astype(np.float32)


def test_torch_carry_equals_the_numpy_truth(posed):
    head, binding, raw, vertices = posed
    truth = carry(raw, binding, head.faces, vertices)
    surface = SurfaceBinding(binding, head.faces)
    block = torch.from_numpy(raw)
    means, quats = surface.carry(block[..., MEANS], block[..., QUATS], torch.from_numpy(vertices))
    quats = torch.nn.functional.normalize(quats, dim=-1).numpy()
    np.testing.assert_allclose(means.numpy(), truth.means, atol=1e-5)
    sign = np.sign((quats * truth.quats).sum(-1, keepdims=True))
    np.testing.assert_allclose(quats * sign, truth.quats, atol=1e-5)


def test_carry_commutes_with_rigid_motion(posed):
    head, binding, raw, vertices = posed
    surface = SurfaceBinding(binding, head.faces)
    angle = 0.7
    turn = torch.tensor(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    ).float()
    shift = torch.tensor([0.1, -0.2, 0.3])
    block, still = torch.from_numpy(raw), torch.from_numpy(vertices)
    before, _ = surface.carry(block[..., MEANS], block[..., QUATS], still)
    after, _ = surface.carry(block[..., MEANS], block[..., QUATS], still @ turn.T + shift)
    torch.testing.assert_close(after, before @ turn.T + shift, atol=1e-4, rtol=0)


def test_carry_gradient_equals_autograd_of_the_same_formula(posed):
    head, binding, raw, vertices = posed
    surface = SurfaceBinding(binding, head.faces)
    frame, quat, origin = (part.double() for part in surface.frames(torch.from_numpy(vertices)))
    block = torch.from_numpy(raw).double()
    means = block[:1, :, MEANS].clone().requires_grad_()  # one set for both images
    quats = block[..., QUATS].clone().requires_grad_()
    seeds = torch.randn_like(origin), torch.randn_like(quats)

    fast = _Carry.apply(means, quats, frame, quat, origin)
    fast_gradients = torch.autograd.grad(fast, (means, quats), seeds)
    plain = (
        torch.einsum("bnij,bnj->bni", frame, means.expand_as(origin)) + origin,
        multiply_quats(quat, quats),
    )
    for one, other in zip(fast_gradients, torch.autograd.grad(plain, (means, quats), seeds)):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-6)


def test_every_covered_texel_has_one_gaussian_inside_its_triangle(posed):
    _, binding, _, _ = posed
    # The ellipsoid's single UV island covers the whole square.
    assert len(binding.face) == pytest.approx(UV_SIZE**2, rel=0.02)
    np.testing.assert_allclose(binding.barycentric.sum(1), 1, atol=1e-5)
    assert binding.barycentric.min() > -1e-4


def test_tangents_point_where_u_grows_even_on_mirrored_islands():
    head = ellipsoid_head()
    corners = head.vertices[head.faces]
    edges = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # Away from the poles u runs along (z, 0, -x) of the ellipsoid.
    centre = corners.mean(1)
    usable = np.abs(centre[:, 1]) < 0.7 * RADII[1]
    for face_uvs, direction in ((head.face_uvs, 1), (head.face_uvs * [-1, 1] + [1, 0], -1)):
        t = uv_tangents(face_uvs.astype(np.float32))
        tangent = t[:, :1] * edges[0] + t[:, 1:] * edges[1]
        expected = np.stack([centre[:, 2], 0 * centre[:, 2], -centre[:, 0]], -1) * direction
        expected[:, 0] /= RADII[2] / RADII[0]
        expected[:, 2] /= RADII[0] / RADII[2]
        cosine = (tangent * expected).sum(-1) / (
            np.linalg.norm(tangent, axis=-1) * np.linalg.norm(expected, axis=-1)
        )
        assert cosine[usable].min() > 0.99


def test_spacing_squared_sums_to_the_surface_area():
    head = ellipsoid_head()
    head = replace(head, expression_deltas=head.expression_deltas[:0], expression_names=())
    binding = uniform_uv_binding(head, 64)
    corners = head.vertices[head.faces].astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = 0.5 * np.linalg.norm(cross, axis=-1).sum()
    assert (texel_spacing(head, binding, 64) ** 2).sum() == pytest.approx(area, rel=0.03)


def test_lids_are_sampled_finely_enough_to_close():
    head = builtin_head()
    binding = uniform_uv_binding(head, 128)
    lids = head.face_regions[binding.face] == head.region_names.index("eyelids")
    blink = [head.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    closed = head.vertices + head.expression_deltas[blink].sum(0)
    place = np.einsum("nk,nkc->nc", binding.barycentric, closed[head.faces[binding.face]])[lids]
    gap = cKDTree(place).query(place, k=2)[0][:, 1]
    sigma = 0.7 * texel_spacing(head, binding, 128)[lids]
    # Neighbours stay within two standard deviations when the lids are shut.
    assert np.mean(gap < 2 * sigma) > 0.95


def test_the_lining_of_the_mouth_is_many_small_gaussians():
    head = builtin_head()
    binding, spacing = covering(head, 112, 3)
    inside = head.face_regions[binding.face] == head.region_names.index("mouth")
    triangles = np.flatnonzero(head.face_regions == head.region_names.index("mouth"))
    assert (np.bincount(binding.face, minlength=len(head.faces))[triangles] == 6).all()
    assert spacing[inside].max() < 0.0041
    barycentric = binding.barycentric[inside]
    assert barycentric.min() > 0
    np.testing.assert_allclose(barycentric.sum(-1), 1, atol=1e-6)
    assert not (np.abs(barycentric - 1 / 3) < 1e-3).all(-1).any()  # the mark of a sheet
    uniform = uniform_uv_binding(head, 112)
    kept = ~np.isin(uniform.face, triangles)
    np.testing.assert_array_equal(binding.face[~inside], uniform.face[kept])
