"""Claims about normals, the atlas raster and the z-buffer, against closed forms."""

from __future__ import annotations

import numpy as np

from engine.mesh import raster_mesh, uv_raster, vertex_normals

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def sphere(rows: int = 24, columns: int = 48) -> tuple[np.ndarray, np.ndarray]:
    theta = np.linspace(0.05, np.pi - 0.05, rows)[:, None]
    phi = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
    grid = np.stack(np.broadcast_arrays(
        np.sin(theta) * np.cos(phi), np.cos(theta), -np.sin(theta) * np.sin(phi)), -1)  # fmt: skip
    index = np.arange(rows * columns).reshape(rows, columns)
    index = np.concatenate([index, index[:, :1]], 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    return grid.reshape(-1, 3), faces


def test_normals_of_a_sphere_are_its_radii():
    points, faces = sphere()
    inner = slice(48 * 2, -48 * 2)  # the ends are open
    np.testing.assert_allclose(vertex_normals(points, faces)[inner], points[inner], atol=0.01)
    batch = vertex_normals(np.stack([points, 2 * points]), faces)
    np.testing.assert_allclose(batch[0], batch[1], atol=1e-6)


def test_each_texel_knows_the_point_of_the_atlas_it_covers():
    uvs = np.array([[0.1, 0.2], [0.9, 0.2], [0.9, 0.7], [0.1, 0.7]])[SQUARE]
    face, weights = uv_raster(uvs, 40)
    row, column = np.nonzero(face >= 0)
    expected = np.stack([(column + 0.5) / 40, 1 - (row + 0.5) / 40], -1)
    found = np.einsum("nk,nkc->nc", weights[row, column], uvs[face[row, column]])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(row) == 32 * 20  # 0.8 x 0.5 of 40 x 40
    assert {*face.ravel()} == {-1, 0, 1}


def test_the_winding_of_a_triangle_does_not_matter_to_the_atlas():
    uvs = np.array([[[0.1, 0.1], [0.8, 0.2], [0.3, 0.9]]])
    np.testing.assert_array_equal(uv_raster(uvs, 32)[0], uv_raster(uvs[:, ::-1], 32)[0])


def test_the_nearest_of_two_crossing_squares_is_seen():
    # Depth 1 + x/10 and 5 - x/10 over a 40-pixel picture: they cross at x = 20.
    xy = np.array([[0, 0], [40, 0], [40, 10], [0, 10]], float)
    near = np.column_stack([xy, 1 / (0.9 - 0.02 * xy[:, 0])])
    far = np.column_stack([xy, 1 / (0.1 + 0.02 * xy[:, 0])])
    depth, face, _ = raster_mesh(
        np.concatenate([near, far]), np.concatenate([SQUARE, SQUARE + 4]), 40, 10
    )
    assert set(face[:, :20].ravel()) == {0, 1}
    assert set(face[:, 20:].ravel()) == {2, 3}
    x = np.arange(40) + 0.5
    expected = 1 / np.maximum(0.9 - 0.02 * x, 0.1 + 0.02 * x)
    np.testing.assert_allclose(depth, np.broadcast_to(expected, (10, 40)), rtol=1e-6)


def test_what_leaves_the_picture_or_lies_behind_the_camera_is_clipped():
    xy = np.array([[-50, -50], [90, -50], [90, 90], [-50, 90]], float)
    whole = np.column_stack([xy, np.full(4, 2.0)])
    depth, face, _ = raster_mesh(whole, SQUARE, 16, 12)
    assert depth.shape == (12, 16)
    assert (face >= 0).all()
    whole[2, 2] = -1
    depth, face, _ = raster_mesh(whole, SQUARE, 16, 12)
    assert (face == -1).all()
    assert np.isinf(depth).all()


def test_the_silhouette_of_a_sphere_has_the_area_of_a_disc():
    points, faces = sphere(48, 96)
    projected = points * (40, 40, 1) + (64, 64, 5)
    _, face, _ = raster_mesh(projected, faces, 128, 128)
    assert abs((face >= 0).sum() / (np.pi * 40**2) - 1) < 0.01
