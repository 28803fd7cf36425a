"""CPU kernels: blend each tile's Gaussians front to back, and the gradient, also front to back.

Gaussian by Gaussian, over the rows of a 16 x 16 tile that its ellipse can reach. `_blend_rows` and
`_blend_rows_backward` take nearly all the time, and are written so that LLVM vectorises them:
unsigned indices (signed ones wrap around and are not vectorised), one array for a tile's state with
its planes at constant offsets, single precision, and selections instead of branches.
`tests/engine/test_rasterize_vectorised.py` guards this.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import VECTOR_MATH, device, exp2, kernel, next_index
from .cpu_projection import DEPTH, LEAN, LOG2_OPACITY, TILE, XX, XY, YY, X, Y
from .semantics import MAX_ALPHA, MIN_ALPHA, STOP

_PIXELS = TILE * TILE
# Planes of a tile's state. Transmittance is negated once a pixel has ended.
_T = np.uint64(0)
_PX = np.uint64(_PIXELS)
_PY = np.uint64(2 * _PIXELS)
# Forward: what has been blended. Backward: the upstream gradient, and in _LEFT its dot product with
# all that is still to come behind this Gaussian.
_RED = _G_RED = np.uint64(3 * _PIXELS)
_GREEN = _G_GREEN = np.uint64(4 * _PIXELS)
_BLUE = _G_BLUE = np.uint64(5 * _PIXELS)
_DEPTH = _LEFT = np.uint64(6 * _PIXELS)
_PLANES = 7

_ZERO = np.float32(0)
_ONE = np.float32(1)
_MAX_ALPHA = np.float32(MAX_ALPHA)
_MIN_ALPHA = np.float32(MIN_ALPHA)
_STOP = np.float32(STOP)
_LOWEST = np.float32(-30)  # exponents below give no visible alpha; this keeps denormals away
_LOG2_255 = math.log2(255)
_SHRINK_EVERY = 8  # Gaussians between two looks at which rows are still open


@device(VECTOR_MATH)
def _blend_rows(state, begin, end, x, y, xx, xy, yy, log2_opacity, red, green, blue, depth):
    for i in range(begin, end):
        dx, dy = state[i + _PX] - x, state[i + _PY] - y
        exponent = log2_opacity - (dx * (xx * dx + xy * dy) + yy * dy * dy)
        alpha = min(exp2(max(exponent, _LOWEST)), _MAX_ALPHA)
        t = state[i + _T]
        after = t * (_ONE - alpha)
        hit = (alpha >= _MIN_ALPHA) & (t > _ZERO)
        stays = hit & (after > _STOP)
        weight = t * alpha if stays else _ZERO
        state[i + _T] = after if stays else (-t if hit else t)
        state[i + _RED] += weight * red
        state[i + _GREEN] += weight * green
        state[i + _BLUE] += weight * blue
        state[i + _DEPTH] += weight * depth


@device(VECTOR_MATH)
def _blend_rows_backward(
    state, begin, end, x, y, xx, xy, yy, log2_opacity, red, green, blue, slots, slot
):
    q, qx, qy, qxx, qxy, qyy = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
    d_red, d_green, d_blue = _ZERO, _ZERO, _ZERO
    for i in range(begin, end):
        dx, dy = state[i + _PX] - x, state[i + _PY] - y
        exponent = log2_opacity - (dx * (xx * dx + xy * dy) + yy * dy * dy)
        value = exp2(max(exponent, _LOWEST))
        alpha = min(value, _MAX_ALPHA)
        t = state[i + _T]
        after = t * (_ONE - alpha)
        hit = (alpha >= _MIN_ALPHA) & (t > _ZERO)
        stays = hit & (after > _STOP)
        weight = t * alpha if stays else _ZERO
        state[i + _T] = after if stays else (-t if hit else t)
        g_red, g_green, g_blue = state[i + _G_RED], state[i + _G_GREEN], state[i + _G_BLUE]
        toward = red * g_red + green * g_green + blue * g_blue
        left = state[i + _LEFT] - weight * toward
        state[i + _LEFT] = left
        # dL/dalpha = T c.g - (what is behind) / (1 - alpha); a clamped alpha is a constant
        d_alpha = t * toward - left / (_ONE - alpha)
        this = alpha * d_alpha if stays & (value < _MAX_ALPHA) else _ZERO
        q += this
        qx += this * dx
        qy += this * dy
        qxx += this * dx * dx
        qxy += this * dx * dy
        qyy += this * dy * dy
        d_red += weight * g_red
        d_green += weight * g_green
        d_blue += weight * g_blue
    slots[slot, 0], slots[slot, 1], slots[slot, 2] = q, qx, qy
    slots[slot, 3], slots[slot, 4], slots[slot, 5] = qxx, qxy, qyy
    slots[slot, 6], slots[slot, 7], slots[slot, 8] = d_red, d_green, d_blue


@device(VECTOR_MATH)
def _rows(records, g, left, top):
    """First and one past the last of the tile's rows that the ellipse reaches in its 16 columns.

    The ellipse's topmost and bottommost points lie at -LEAN and +LEAN from its centre; moved into
    the columns of the tile, they give the extent there.
    """
    first_dx = np.float32(left) + np.float32(0.5) - records[g, X]
    last_dx = first_dx + np.float32(TILE - 1)
    low_dx = min(last_dx, max(first_dx, -records[g, LEAN]))
    high_dx = min(last_dx, max(first_dx, records[g, LEAN]))
    level = records[g, LOG2_OPACITY] + np.float32(_LOG2_255 + 1e-3)
    xx, half_xy, yy = records[g, XX], np.float32(0.5) * records[g, XY], records[g, YY]
    low_root = half_xy * low_dx * half_xy * low_dx - yy * (xx * low_dx * low_dx - level)
    high_root = half_xy * high_dx * half_xy * high_dx - yy * (xx * high_dx * high_dx - level)
    if low_root < _ZERO and high_root < _ZERO:
        return np.int64(0), np.int64(0)
    origin = records[g, Y] - np.float32(top) - np.float32(0.5)
    low = origin + (-half_xy * low_dx - math.sqrt(max(low_root, _ZERO))) / yy
    high = origin + (-half_xy * high_dx + math.sqrt(max(high_root, _ZERO))) / yy
    slack = np.float32(0.01)
    first = np.int64(math.ceil(max(low - slack, _ZERO)))
    last = np.int64(math.floor(min(high + slack, np.float32(TILE - 1))))
    return first, last + 1


@device(VECTOR_MATH)
def _open_tile(state, left, top, width, height):
    """Reset transmittance to 1 inside the image and to "ended" outside; fill in pixel centres."""
    for row in range(TILE):
        for column in range(TILE):
            i = row * TILE + column
            inside = left + column < width and top + row < height
            state[i] = _ONE if inside else -_ONE
            state[_PIXELS + i] = np.float32(left + column) + np.float32(0.5)
            state[2 * _PIXELS + i] = np.float32(top + row) + np.float32(0.5)
    state[3 * _PIXELS :] = _ZERO


@device(VECTOR_MATH)
def _row_open(state, row):
    highest = -_ONE
    for column in range(TILE):
        highest = max(highest, state[row * TILE + column])
    return highest > _ZERO


@device(VECTOR_MATH)
def _shrink(state, first_open, end_open):
    """The range from the first to the last row that still holds an open pixel."""
    while first_open < end_open and not _row_open(state, first_open):
        first_open += 1
    while first_open < end_open and not _row_open(state, end_open - 1):
        end_open -= 1
    return first_open, end_open


@device(VECTOR_MATH)
def _write_tile(state, b, left, top, backgrounds, image, alpha, depth):
    """Put what is left of the background behind the tile, and the tile into the pictures."""
    height, width = alpha.shape[1:]
    for row in range(min(TILE, height - top)):
        for column in range(min(TILE, width - left)):
            i, y, x = row * TILE + column, top + row, left + column
            t = abs(state[i])
            for k in range(3):
                image[b, y, x, k] = state[(3 + k) * _PIXELS + i] + t * backgrounds[b, k]
            alpha[b, y, x] = _ONE - t
            depth[b, y, x] = state[6 * _PIXELS + i]


@kernel(
    "void(int64[::1], int64[::1], int64, int64[::1], int32[::1], float32[:,::1], float32[:,::1],"
    "float32[:,::1], float32[:,:,:,::1], float32[:,:,::1], float32[:,:,::1])",
    VECTOR_MATH,
)
def blend(
    counter,  # [1] taken from
    work,  # tiles that are not empty, numbered through all images
    tiles_x,
    tile_starts,  # [B * tiles + 1]
    pair_gaussians,  # [pairs]
    records,  # [B N, RECORD]
    colors,  # [B N, 3]
    backgrounds,  # [B, 3]
    image,  # [B, H, W, 3] written where there is work
    alpha,  # [B, H, W] written where there is work
    depth,  # [B, H, W] written where there is work
):
    images, height, width = depth.shape
    tiles = tiles_x * ((height + TILE - 1) // TILE)
    state = np.empty(_PLANES * _PIXELS, np.float32)
    while True:
        index = next_index(counter)
        if index >= work.shape[0]:
            return
        tile = work[index]
        b, within = tile // tiles, tile % tiles
        left, top = within % tiles_x * TILE, within // tiles_x * TILE
        _open_tile(state, left, top, width, height)
        first_open, end_open = 0, min(TILE, height - top)
        for pair in range(tile_starts[tile], tile_starts[tile + 1]):
            if (pair - tile_starts[tile]) % _SHRINK_EVERY == 0:
                first_open, end_open = _shrink(state, first_open, end_open)
                if first_open >= end_open:
                    break
            g = pair_gaussians[pair]
            first, end = _rows(records, g, left, top)
            _blend_rows(
                state,
                np.uint64(max(first, first_open) * TILE),
                np.uint64(max(min(end, end_open), 0) * TILE),
                records[g, X], records[g, Y], records[g, XX], records[g, XY], records[g, YY],
                records[g, LOG2_OPACITY], colors[g, 0], colors[g, 1], colors[g, 2],
                records[g, DEPTH],
            )  # fmt: skip
        _write_tile(state, b, left, top, backgrounds, image, alpha, depth)


@device(VECTOR_MATH)
def _load_gradients(state, b, left, top, image, alpha, d_image, d_alpha):
    """Upstream gradients, and their dot product with the finished pixel: all is yet to come."""
    height, width = alpha.shape[1:]
    for row in range(min(TILE, height - top)):
        for column in range(min(TILE, width - left)):
            i = row * TILE + column
            y, x = top + row, left + column
            left_over = -d_alpha[b, y, x] * (_ONE - alpha[b, y, x])
            for k in range(3):
                state[(3 + k) * _PIXELS + i] = d_image[b, y, x, k]
                left_over += d_image[b, y, x, k] * image[b, y, x, k]
            state[6 * _PIXELS + i] = left_over


@kernel(
    "void(int64[::1], int64[::1], int64, int64[::1], int32[::1], int64[::1], float32[:,::1],"
    "float32[:,::1], float32[:,:,:,::1], float32[:,:,::1], float32[:,:,:,::1], float32[:,:,::1],"
    "float32[:,::1])",
    VECTOR_MATH,
)
def blend_backward(
    counter,  # [1] taken from
    work,  # as for `blend`
    tiles_x,
    tile_starts,  # [B * tiles + 1]
    pair_gaussians,  # [pairs]
    pair_slots,  # [pairs]
    records,  # [B N, RECORD]
    colors,  # [B N, 3]
    image,  # [B, H, W, 3] as blended
    alpha,  # [B, H, W] as blended
    d_image,  # [B, H, W, 3]
    d_alpha,  # [B, H, W]
    slots,  # [pairs, 9] zero; written for the pairs that are reached
):
    images, height, width = alpha.shape
    tiles = tiles_x * ((height + TILE - 1) // TILE)
    state = np.empty(_PLANES * _PIXELS, np.float32)
    while True:
        index = next_index(counter)
        if index >= work.shape[0]:
            return
        tile = work[index]
        b, within = tile // tiles, tile % tiles
        left, top = within % tiles_x * TILE, within // tiles_x * TILE
        _open_tile(state, left, top, width, height)
        _load_gradients(state, b, left, top, image, alpha, d_image, d_alpha)
        first_open, end_open = 0, min(TILE, height - top)
        for pair in range(tile_starts[tile], tile_starts[tile + 1]):
            if (pair - tile_starts[tile]) % _SHRINK_EVERY == 0:
                first_open, end_open = _shrink(state, first_open, end_open)
                if first_open >= end_open:
                    break
            g = pair_gaussians[pair]
            first, end = _rows(records, g, left, top)
            _blend_rows_backward(
                state,
                np.uint64(max(first, first_open) * TILE),
                np.uint64(max(min(end, end_open), 0) * TILE),
                records[g, X], records[g, Y], records[g, XX], records[g, XY], records[g, YY],
                records[g, LOG2_OPACITY], colors[g, 0], colors[g, 1], colors[g, 2],
                slots, pair_slots[pair],
            )  # fmt: skip
