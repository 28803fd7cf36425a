"""CPU kernel: the chain rule from the pixel sums of the blending back to 3D Gaussians.

The transpose of `cpu_projection.project`, Gaussian by Gaussian, in double precision.
"""

from __future__ import annotations

import numpy as np

from ..jit import EXACT_MATH, device, kernel, next_index
from .cpu_projection import (
    BLOCK,
    camera_point,
    clamped_slopes,
    covariance_2d,
    fill_rotation,
    spread,
)

# Sums over pixels of q = dL/d(ln alpha), weighted; then dL/dcolour, then dL/d(camera z)
# through the depth image.
Q, QX, QY, QXX, QXY, QYY, RED, GREEN, BLUE, D_DEPTH = range(10)
SUMS = 10


@device(EXACT_MATH)
def _covariance_gradient(covariance, sums, i, gradient):
    """Fill dL/dcovariance2D [2, 2] = 1/2 C S C; S holds second moments, C is the conic."""
    xx, xy, yy = covariance
    determinant = xx * yy - xy * xy
    inverse = 1 / determinant
    a, b, c = yy * inverse, -xy * inverse, xx * inverse
    sxx, sxy, syy = float(sums[i, QXX]), float(sums[i, QXY]), float(sums[i, QYY])
    left_xx, left_xy = a * sxx + b * sxy, a * sxy + b * syy
    left_yx, left_yy = b * sxx + c * sxy, b * sxy + c * syy
    gradient[0, 0] = 0.5 * (left_xx * a + left_xy * b)
    gradient[0, 1] = 0.5 * (left_xx * b + left_xy * c)
    gradient[1, 0] = gradient[0, 1]
    gradient[1, 1] = 0.5 * (left_yx * b + left_yy * c)
    sx, sy = float(sums[i, QX]), float(sums[i, QY])
    return a * sx + b * sy, b * sx + c * sy  # dL/dmean2D


@device(EXACT_MATH)
def _quaternion_gradient(quats, i, scale, rotation_gradient, gradient):
    w, x, y, z = (
        quats[i, 0] * scale,
        quats[i, 1] * scale,
        quats[i, 2] * scale,
        quats[i, 3] * scale,
    )
    d = rotation_gradient
    dw = 2 * (z * (d[1, 0] - d[0, 1]) + y * (d[0, 2] - d[2, 0]) + x * (d[2, 1] - d[1, 2]))
    dx = 2 * (y * (d[0, 1] + d[1, 0]) + z * (d[0, 2] + d[2, 0]) + w * (d[2, 1] - d[1, 2]))
    dy = 2 * (x * (d[0, 1] + d[1, 0]) + z * (d[1, 2] + d[2, 1]) + w * (d[0, 2] - d[2, 0]))
    dz = 2 * (x * (d[0, 2] + d[2, 0]) + y * (d[1, 2] + d[2, 1]) + w * (d[1, 0] - d[0, 1]))
    dx -= 4 * x * (d[1, 1] + d[2, 2])
    dy -= 4 * y * (d[0, 0] + d[2, 2])
    dz -= 4 * z * (d[0, 0] + d[1, 1])
    radial = w * dw + x * dx + y * dy + z * dz  # the length of a quaternion has no effect
    gradient[i, 0], gradient[i, 1] = scale * (dw - w * radial), scale * (dx - x * radial)
    gradient[i, 2], gradient[i, 3] = scale * (dy - y * radial), scale * (dz - z * radial)


@device(EXACT_MATH)
def _shape_gradient(to_pixels, half_gradient, rotation, scales, i, rotation_gradient, gradient):
    """From dL/d(J W R S) to dL/dR and dL/dscales."""
    for j in range(3):
        along = 0.0
        for k in range(3):
            d = to_pixels[0, k] * half_gradient[0, j] + to_pixels[1, k] * half_gradient[1, j]
            rotation_gradient[k, j] = d * scales[i, j]
            along += d * rotation[k, j]
        gradient[i, j] = along


@device(EXACT_MATH)
def _jacobian_gradient(views, b, rotation, scales, i, half_gradient, gradient):
    """From dL/d(J W R S) to dL/dJ [2, 3]."""
    for row in range(2):
        gradient[row, 0] = gradient[row, 1] = gradient[row, 2] = 0.0
        for k in range(3):
            d = 0.0  # dL/d(J W)[row, k]
            for j in range(3):
                d += half_gradient[row, j] * scales[i, j] * rotation[k, j]
            for column in range(3):
                gradient[row, column] += d * views[b, column, k]


@device(EXACT_MATH)
def _mean_gradient(camera, views, Ks, b, slopes, upstream, jacobian_gradient, gradient, i):
    """dL/dmean through the 2D mean, the depth, and the Jacobian [[fx/z, 0, -fx sx/z], [0, ...]]."""
    d = jacobian_gradient
    d_x, d_y, d_depth = upstream
    inverse_z = 1 / camera[2]
    fx, fy = Ks[b, 0, 0] * inverse_z, Ks[b, 1, 1] * inverse_z
    slope_x, slope_y = camera[0] * inverse_z, camera[1] * inverse_z
    camera_x, camera_y = fx * d_x, fy * d_y
    camera_z = d_depth - fx * slope_x * d_x - fy * slope_y * d_y
    camera_z -= fx * inverse_z * (d[0, 0] - slopes[0] * d[0, 2])
    camera_z -= fy * inverse_z * (d[1, 1] - slopes[1] * d[1, 2])
    if slopes[0] == slope_x:  # a clamped slope is a constant
        camera_x -= fx * inverse_z * d[0, 2]
        camera_z += fx * inverse_z * slope_x * d[0, 2]
    if slopes[1] == slope_y:
        camera_y -= fy * inverse_z * d[1, 2]
        camera_z += fy * inverse_z * slope_y * d[1, 2]
    for k in range(3):
        gradient[i, k] = (
            views[b, 0, k] * camera_x + views[b, 1, k] * camera_y + views[b, 2, k] * camera_z
        )


@kernel(
    "void(int64[::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[::1],"
    "float64[:,:,::1], float64[:,:,::1], float64[:,::1], int32[:,::1], float32[:,::1],"
    "float32[:,::1], float32[:,::1], float32[:,::1], float32[::1])",
    EXACT_MATH,
)
def project_backward(
    counter,  # [1] taken from
    means,  # [B N, 3]
    quats,  # [B N, 4]
    scales,  # [B N, 3]
    opacities,  # [B N]
    views,  # [B, 4, 4]
    Ks,  # [B, 3, 3]
    frusta,  # [B, 4] as for `project`
    boxes,  # [B N, 4] as `project` wrote them
    sums,  # [B N, SUMS]
    d_means,  # [B N, 3] zero; written where visible
    d_quats,  # [B N, 4] likewise
    d_scales,  # [B N, 3] likewise
    d_opacities,  # [B N] likewise
):
    total = means.shape[0]
    per_image = total // max(views.shape[0], 1)
    rotation, d_rotation = np.empty((3, 3)), np.empty((3, 3))
    to_pixels, half, d_half = np.empty((2, 3)), np.empty((2, 3)), np.empty((2, 3))
    d_covariance, d_jacobian = np.empty((2, 2)), np.empty((2, 3))
    while True:
        begin = next_index(counter) * BLOCK
        if begin >= total:
            return
        b = begin // per_image
        for i in range(begin, min(begin + BLOCK, total)):
            if boxes[i, 2] <= boxes[i, 0] or boxes[i, 3] <= boxes[i, 1]:
                continue
            while i >= (b + 1) * per_image:
                b += 1
            camera = camera_point(views, b, means, i)
            scale = fill_rotation(quats, i, rotation)
            slopes = clamped_slopes(frusta, b, camera)
            spread(camera, views, Ks, b, slopes, rotation, scales, i, to_pixels, half)
            d_x, d_y = _covariance_gradient(covariance_2d(half), sums, i, d_covariance)
            for row in range(2):
                for j in range(3):
                    d_half[row, j] = 2 * (
                        d_covariance[row, 0] * half[0, j] + d_covariance[row, 1] * half[1, j]
                    )
            _shape_gradient(to_pixels, d_half, rotation, scales, i, d_rotation, d_scales)
            _quaternion_gradient(quats, i, scale, d_rotation, d_quats)
            _jacobian_gradient(views, b, rotation, scales, i, d_half, d_jacobian)
            upstream = (d_x, d_y, float(sums[i, D_DEPTH]))
            _mean_gradient(camera, views, Ks, b, slopes, upstream, d_jacobian, d_means, i)
            d_opacities[i] = sums[i, Q] / opacities[i]
