"""CPU kernels: 3D Gaussians to 2D footprints (EWA splatting), their records and tiles.

One Gaussian at a time, in double precision. Gaussians that cannot be seen, and those with a number
that is not finite, are dropped here, so that no NaN enters the blending. Functions take arrays and
an index rather than rows: a row is an array, and costs Numba an atomic reference count.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import EXACT_MATH, device, kernel, next_index
from .semantics import BLUR, FAR, MIN_ALPHA, NEAR

TILE = 16  # pixels

# A record: what blending needs of a Gaussian. The exponent of alpha in base 2 is
# LOG2_OPACITY - (XX dx^2 + XY dx dy + YY dy^2). LEAN: x of the ellipse's bottommost point.
X, Y, XX, XY, YY, LOG2_OPACITY, LEAN, DEPTH = range(8)
RECORD = 8

BLOCK = 256
_LOG2_E = 1 / math.log(2)
_LOG_255 = -math.log(MIN_ALPHA)
_HUGE = 1e9
_EDGE = 1e-3  # px; a box is that much too large, against rounding


@device(EXACT_MATH)
def camera_point(views, b, means, i):
    """Centre of Gaussian i in the coordinates of camera b."""
    x, y, z = float(means[i, 0]), float(means[i, 1]), float(means[i, 2])
    return (
        views[b, 0, 0] * x + views[b, 0, 1] * y + views[b, 0, 2] * z + views[b, 0, 3],
        views[b, 1, 0] * x + views[b, 1, 1] * y + views[b, 1, 2] * z + views[b, 1, 3],
        views[b, 2, 0] * x + views[b, 2, 1] * y + views[b, 2, 2] * z + views[b, 2, 3],
    )


@device(EXACT_MATH)
def fill_rotation(quats, i, rotation):
    """Fill rotation [3, 3]; return the inverse of the quaternion's length."""
    w, x, y, z = float(quats[i, 0]), float(quats[i, 1]), float(quats[i, 2]), float(quats[i, 3])
    scale = 1 / math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w * scale, x * scale, y * scale, z * scale
    rotation[0, 0] = 1 - 2 * (y * y + z * z)
    rotation[0, 1] = 2 * (x * y - w * z)
    rotation[0, 2] = 2 * (x * z + w * y)
    rotation[1, 0] = 2 * (x * y + w * z)
    rotation[1, 1] = 1 - 2 * (x * x + z * z)
    rotation[1, 2] = 2 * (y * z - w * x)
    rotation[2, 0] = 2 * (x * z - w * y)
    rotation[2, 1] = 2 * (y * z + w * x)
    rotation[2, 2] = 1 - 2 * (x * x + y * y)
    return scale


@device(EXACT_MATH)
def clamped_slopes(frusta, b, camera):
    """x/z and y/z, held within the field of view plus a margin as gsplat holds them."""
    inverse_z = 1 / camera[2]
    slope_x = min(frusta[b, 1], max(frusta[b, 0], camera[0] * inverse_z))
    slope_y = min(frusta[b, 3], max(frusta[b, 2], camera[1] * inverse_z))
    return slope_x, slope_y


@device(EXACT_MATH)
def spread(camera, views, Ks, b, slopes, rotation, scales, i, to_pixels, half):
    """Fill to_pixels = J W [2, 3] and half = J W R S [2, 3]: the 2D covariance is half half^T."""
    inverse_z = 1 / camera[2]
    fx, fy = Ks[b, 0, 0] * inverse_z, Ks[b, 1, 1] * inverse_z
    for k in range(3):
        to_pixels[0, k] = fx * (views[b, 0, k] - slopes[0] * views[b, 2, k])
        to_pixels[1, k] = fy * (views[b, 1, k] - slopes[1] * views[b, 2, k])
    for j in range(3):
        for row in range(2):
            dot = 0.0
            for k in range(3):
                dot += to_pixels[row, k] * rotation[k, j]
            half[row, j] = dot * scales[i, j]


@device(EXACT_MATH)
def covariance_2d(half):
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
def _write_record(camera, Ks, b, covariance, opacity, size, records, boxes, i):
    xx, xy, yy = covariance
    determinant = xx * yy - xy * xy
    log_opacity = math.log(opacity)
    level = 2 * (log_opacity + _LOG_255)  # sigma <= level / 2 inside
    reach_x, reach_y = math.sqrt(level * xx), math.sqrt(level * yy)
    inverse_z = 1 / camera[2]
    x = Ks[b, 0, 0] * camera[0] * inverse_z + Ks[b, 0, 2]
    y = Ks[b, 1, 1] * camera[1] * inverse_z + Ks[b, 1, 2]
    # Comparisons with NaN are false: what is not a number ends here.
    if not (determinant > 0 and abs(x) + reach_x < _HUGE and abs(y) + reach_y < _HUGE):
        return
    boxes[i, 0], boxes[i, 2] = _tiles(x, reach_x, size[0])
    boxes[i, 1], boxes[i, 3] = _tiles(y, reach_y, size[1])
    half = 0.5 * _LOG2_E / determinant
    records[i, X], records[i, Y] = x, y
    records[i, XX], records[i, XY], records[i, YY] = half * yy, -2 * half * xy, half * xx
    records[i, LOG2_OPACITY] = log_opacity * _LOG2_E
    records[i, LEAN] = xy / yy * reach_y
    records[i, DEPTH] = camera[2]


@kernel(
    "void(int64[::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[::1], float32[:,::1],"
    "float64[:,:,::1], float64[:,:,::1], float64[:,::1], int64, int64,"
    "float32[:,::1], int32[:,::1])",
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
    frusta,  # [B, 4] least and greatest x/z, then y/z
    width,
    height,
    records,  # [B N, RECORD] written where visible
    boxes,  # [B N, 4] written: tiles x0, y0, x1, y1; empty where not visible
):
    total = means.shape[0]
    per_image = total // max(views.shape[0], 1)
    rotation = np.empty((3, 3))
    to_pixels, half = np.empty((2, 3)), np.empty((2, 3))
    while True:
        begin = next_index(counter) * BLOCK
        if begin >= total:
            return
        b = begin // per_image
        for i in range(begin, min(begin + BLOCK, total)):
            while i >= (b + 1) * per_image:
                b += 1
            for k in range(4):
                boxes[i, k] = 0
            camera = camera_point(views, b, means, i)
            nothing = 0.0  # NaN as soon as one colour is not finite
            for channel in range(colors.shape[1]):
                nothing += colors[i, channel] - colors[i, channel]
            opacity = float(opacities[i])
            visible = camera[2] >= NEAR and camera[2] <= FAR
            if not (visible and opacity >= MIN_ALPHA and opacity < _HUGE and nothing == 0.0):
                continue
            fill_rotation(quats, i, rotation)
            slopes = clamped_slopes(frusta, b, camera)
            spread(camera, views, Ks, b, slopes, rotation, scales, i, to_pixels, half)
            covariance = covariance_2d(half)
            size = (width, height)
            _write_record(camera, Ks, b, covariance, opacity, size, records, boxes, i)
