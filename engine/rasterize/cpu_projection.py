"""CPU kernels: 3D Gaussians to 2D footprints (EWA splatting), and the gradient back.

One Gaussian at a time, in double precision. Gaussians that cannot be seen, and those with a number
that is not finite, are dropped here, so that no NaN enters the blending.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import EXACT_MATH, device, kernel, next_index
from .semantics import BLUR, FAR, FRUSTUM_MARGIN, MIN_ALPHA, NEAR

TILE = 16  # pixels

# A record: what blending needs of a Gaussian. The exponent of alpha in base 2 is
# LOG2_OPACITY - (XX dx^2 + XY dx dy + YY dy^2). LEAN: x of the ellipse's bottommost point.
X, Y, XX, XY, YY, LOG2_OPACITY, LEAN, DEPTH = range(8)
RECORD = 8
# Sums over pixels of q = dL/d(ln alpha), weighted; then dL/dcolour, then dL/d(camera z)
# through the depth image.
Q, QX, QY, QXX, QXY, QYY, RED, GREEN, BLUE, D_DEPTH = range(10)
SUMS = 10

_BLOCK = 256
_LOG2_E = 1 / math.log(2)
_HUGE = 1e9
_EDGE = 1e-3  # px; a box is that much too large, against rounding


@device(EXACT_MATH)
def _to_camera(view, mean, camera):
    for row in range(3):
        camera[row] = (
            view[row, 0] * mean[0] + view[row, 1] * mean[1] + view[row, 2] * mean[2] + view[row, 3]
        )


@device(EXACT_MATH)
def _rotation(quat, rotation):
    """Fill rotation [3, 3]; return the quaternion's length."""
    w, x, y, z = float(quat[0]), float(quat[1]), float(quat[2]), float(quat[3])
    length = math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w / length, x / length, y / length, z / length
    rotation[0, 0] = 1 - 2 * (y * y + z * z)
    rotation[0, 1] = 2 * (x * y - w * z)
    rotation[0, 2] = 2 * (x * z + w * y)
    rotation[1, 0] = 2 * (x * y + w * z)
    rotation[1, 1] = 1 - 2 * (x * x + z * z)
    rotation[1, 2] = 2 * (y * z - w * x)
    rotation[2, 0] = 2 * (x * z - w * y)
    rotation[2, 1] = 2 * (y * z + w * x)
    rotation[2, 2] = 1 - 2 * (x * x + y * y)
    return length


@device(EXACT_MATH)
def _clamped_slopes(camera, K, width, height):
    """x/z and y/z, held within the field of view plus a margin as gsplat holds them."""
    margin_x = FRUSTUM_MARGIN * 0.5 * width / K[0, 0]
    margin_y = FRUSTUM_MARGIN * 0.5 * height / K[1, 1]
    right = (width - K[0, 2]) / K[0, 0] + margin_x
    bottom = (height - K[1, 2]) / K[1, 1] + margin_y
    slope_x = min(right, max(-K[0, 2] / K[0, 0] - margin_x, camera[0] / camera[2]))
    slope_y = min(bottom, max(-K[1, 2] / K[1, 1] - margin_y, camera[1] / camera[2]))
    return slope_x, slope_y


@device(EXACT_MATH)
def _spread(camera, view, K, slopes, rotation, scale, to_pixels, half):
    """Fill to_pixels = J W [2, 3] and half = J W R S [2, 3]: the 2D covariance is half half^T."""
    fx, fy = K[0, 0] / camera[2], K[1, 1] / camera[2]
    for k in range(3):
        to_pixels[0, k] = fx * (view[0, k] - slopes[0] * view[2, k])
        to_pixels[1, k] = fy * (view[1, k] - slopes[1] * view[2, k])
    for i in range(2):
        for j in range(3):
            dot = 0.0
            for k in range(3):
                dot += to_pixels[i, k] * rotation[k, j]
            half[i, j] = dot * scale[j]


@device(EXACT_MATH)
def _covariance(half):
    xx, xy, yy = BLUR, 0.0, BLUR
    for j in range(3):
        xx += half[0, j] * half[0, j]
        xy += half[0, j] * half[1, j]
        yy += half[1, j] * half[1, j]
    return xx, xy, yy


@device(EXACT_MATH)
def _tiles(centre, reach, size):
    """First and one past the last tile whose pixel centres lie within reach of the centre."""
    first = math.ceil(max(centre - reach - 0.5 - _EDGE, 0.0))
    last = math.floor(min(centre + reach - 0.5 + _EDGE, size - 1.0))
    if last < first:
        return 0, 0
    return int(first) // TILE, int(last) // TILE + 1


@device(EXACT_MATH)
def _write_record(camera, K, covariance, opacity, width, height, record, box):
    xx, xy, yy = covariance
    determinant = xx * yy - xy * xy
    level = 2 * math.log(opacity / MIN_ALPHA)  # sigma <= level / 2 inside
    reach_x, reach_y = math.sqrt(level * xx), math.sqrt(level * yy)
    x = K[0, 0] * camera[0] / camera[2] + K[0, 2]
    y = K[1, 1] * camera[1] / camera[2] + K[1, 2]
    # Comparisons with NaN are false: what is not a number ends here.
    if not (determinant > 0 and abs(x) + reach_x < _HUGE and abs(y) + reach_y < _HUGE):
        return
    box[0], box[2] = _tiles(x, reach_x, width)
    box[1], box[3] = _tiles(y, reach_y, height)
    half = 0.5 * _LOG2_E / determinant
    record[X], record[Y] = x, y
    record[XX], record[XY], record[YY] = half * yy, -2 * half * xy, half * xx
    record[LOG2_OPACITY] = math.log(opacity) * _LOG2_E
    record[LEAN] = xy / yy * reach_y
    record[DEPTH] = camera[2]


@kernel(
    "void(int64[::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[::1], float32[:,::1],"
    "float64[:,:,::1], float64[:,:,::1], int64, int64, float32[:,::1], int32[:,::1])",
    EXACT_MATH,
)
def project(
    counter,  # [1] taken from
    means,  # [B N, 3]
    quats,  # [B N, 4]
    scales,  # [B N, 3]
    opacities,  # [B N]
    colors,  # [B N, D] read for NaN only
    views,  # [B, 4, 4]
    Ks,  # [B, 3, 3]
    width,
    height,
    records,  # [B N, RECORD] written where visible
    boxes,  # [B N, 4] written: tiles x0, y0, x1, y1; empty where not visible
):
    total = means.shape[0]
    camera, rotation = np.empty(3), np.empty((3, 3))
    to_pixels, half = np.empty((2, 3)), np.empty((2, 3))
    while True:
        begin = next_index(counter) * _BLOCK
        if begin >= total:
            return
        for i in range(begin, min(begin + _BLOCK, total)):
            image = i * views.shape[0] // total
            boxes[i] = 0
            view, K, opacity = views[image], Ks[image], float(opacities[i])
            _to_camera(view, means[i], camera)
            nothing = 0.0  # NaN as soon as one colour is not finite
            for channel in range(colors.shape[1]):
                nothing += colors[i, channel] - colors[i, channel]
            visible = camera[2] >= NEAR and camera[2] <= FAR
            if not (visible and opacity >= MIN_ALPHA and opacity < _HUGE and nothing == 0.0):
                continue
            _rotation(quats[i], rotation)
            slopes = _clamped_slopes(camera, K, width, height)
            _spread(camera, view, K, slopes, rotation, scales[i], to_pixels, half)
            covariance = _covariance(half)
            _write_record(camera, K, covariance, opacity, width, height, records[i], boxes[i])


@device(EXACT_MATH)
def _covariance_gradient(covariance, sums, gradient):
    """Fill dL/dcovariance2D [2, 2] = 1/2 C S C; S holds second moments, C is the conic."""
    xx, xy, yy = covariance
    determinant = xx * yy - xy * xy
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    sxx, sxy, syy = float(sums[QXX]), float(sums[QXY]), float(sums[QYY])
    left_xx, left_xy = a * sxx + b * sxy, a * sxy + b * syy
    left_yx, left_yy = b * sxx + c * sxy, b * sxy + c * syy
    gradient[0, 0] = 0.5 * (left_xx * a + left_xy * b)
    gradient[0, 1] = 0.5 * (left_xx * b + left_xy * c)
    gradient[1, 0] = gradient[0, 1]
    gradient[1, 1] = 0.5 * (left_yx * b + left_yy * c)
    return a * sums[QX] + b * sums[QY], b * sums[QX] + c * sums[QY]  # dL/dmean2D


@device(EXACT_MATH)
def _quaternion_gradient(quat, length, rotation_gradient, gradient):
    w, x, y, z = quat[0] / length, quat[1] / length, quat[2] / length, quat[3] / length
    d = rotation_gradient
    dw = 2 * (z * (d[1, 0] - d[0, 1]) + y * (d[0, 2] - d[2, 0]) + x * (d[2, 1] - d[1, 2]))
    dx = 2 * (y * (d[0, 1] + d[1, 0]) + z * (d[0, 2] + d[2, 0]) + w * (d[2, 1] - d[1, 2]))
    dy = 2 * (x * (d[0, 1] + d[1, 0]) + z * (d[1, 2] + d[2, 1]) + w * (d[0, 2] - d[2, 0]))
    dz = 2 * (x * (d[0, 2] + d[2, 0]) + y * (d[1, 2] + d[2, 1]) + w * (d[1, 0] - d[0, 1]))
    dx -= 4 * x * (d[1, 1] + d[2, 2])
    dy -= 4 * y * (d[0, 0] + d[2, 2])
    dz -= 4 * z * (d[0, 0] + d[1, 1])
    radial = w * dw + x * dx + y * dy + z * dz  # the length of a quaternion has no effect
    gradient[0], gradient[1] = (dw - w * radial) / length, (dx - x * radial) / length
    gradient[2], gradient[3] = (dy - y * radial) / length, (dz - z * radial) / length


@device(EXACT_MATH)
def _shape_gradient(to_pixels, half_gradient, rotation, scale, rotation_gradient, gradient):
    """From dL/d(J W R S) to dL/dR and dL/dscales."""
    for j in range(3):
        along = 0.0
        for k in range(3):
            d = to_pixels[0, k] * half_gradient[0, j] + to_pixels[1, k] * half_gradient[1, j]
            rotation_gradient[k, j] = d * scale[j]
            along += d * rotation[k, j]
        gradient[j] = along


@device(EXACT_MATH)
def _jacobian_gradient(view, rotation, scale, half_gradient, gradient):
    """From dL/d(J W R S) to dL/dJ [2, 3]."""
    for i in range(2):
        gradient[i, 0] = gradient[i, 1] = gradient[i, 2] = 0.0
        for k in range(3):
            d = 0.0  # dL/d(J W)[i, k]
            for j in range(3):
                d += half_gradient[i, j] * scale[j] * rotation[k, j]
            for row in range(3):
                gradient[i, row] += d * view[row, k]


@device(EXACT_MATH)
def _mean_gradient(camera, view, K, slopes, d_x, d_y, d_depth, jacobian_gradient, gradient):
    """dL/dmean through the 2D mean, the depth, and the Jacobian [[fx/z, 0, -fx sx/z], [0, ...]]."""
    d = jacobian_gradient
    z = camera[2]
    fx, fy = K[0, 0] / z, K[1, 1] / z
    slope_x, slope_y = camera[0] / z, camera[1] / z
    camera_x, camera_y = fx * d_x, fy * d_y
    camera_z = d_depth - fx * slope_x * d_x - fy * slope_y * d_y
    camera_z -= fx / z * (d[0, 0] - slopes[0] * d[0, 2])
    camera_z -= fy / z * (d[1, 1] - slopes[1] * d[1, 2])
    if slopes[0] == slope_x:  # a clamped slope is a constant
        camera_x -= fx / z * d[0, 2]
        camera_z += fx / z * slope_x * d[0, 2]
    if slopes[1] == slope_y:
        camera_y -= fy / z * d[1, 2]
        camera_z += fy / z * slope_y * d[1, 2]
    for k in range(3):
        gradient[k] = view[0, k] * camera_x + view[1, k] * camera_y + view[2, k] * camera_z


@kernel(
    "void(int64[::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[::1],"
    "float64[:,:,::1], float64[:,:,::1], int64, int64, int32[:,::1], float32[:,::1],"
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
    width,
    height,
    boxes,  # [B N, 4] as `project` wrote them
    sums,  # [B N, SUMS]
    d_means,  # [B N, 3] written
    d_quats,  # [B N, 4] written
    d_scales,  # [B N, 3] written
    d_opacities,  # [B N] written
):
    total = means.shape[0]
    camera, rotation, d_rotation = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    to_pixels, half, d_half = np.empty((2, 3)), np.empty((2, 3)), np.empty((2, 3))
    d_covariance, d_jacobian = np.empty((2, 2)), np.empty((2, 3))
    while True:
        begin = next_index(counter) * _BLOCK
        if begin >= total:
            return
        for i in range(begin, min(begin + _BLOCK, total)):
            d_means[i], d_quats[i], d_scales[i], d_opacities[i] = 0, 0, 0, 0
            if boxes[i, 2] <= boxes[i, 0] or boxes[i, 3] <= boxes[i, 1]:
                continue
            image = i * views.shape[0] // total
            view, K, scale = views[image], Ks[image], scales[i]
            _to_camera(view, means[i], camera)
            length = _rotation(quats[i], rotation)
            slopes = _clamped_slopes(camera, K, width, height)
            _spread(camera, view, K, slopes, rotation, scale, to_pixels, half)
            d_x, d_y = _covariance_gradient(_covariance(half), sums[i], d_covariance)
            for row in range(2):
                for j in range(3):
                    d_half[row, j] = 2 * (
                        d_covariance[row, 0] * half[0, j] + d_covariance[row, 1] * half[1, j]
                    )
            _shape_gradient(to_pixels, d_half, rotation, scale, d_rotation, d_scales[i])
            _quaternion_gradient(quats[i], length, d_rotation, d_quats[i])
            _jacobian_gradient(view, rotation, scale, d_half, d_jacobian)
            _mean_gradient(
                camera, view, K, slopes, d_x, d_y, sums[i, D_DEPTH], d_jacobian, d_means[i]
            )
            d_opacities[i] = sums[i, Q] / opacities[i]
