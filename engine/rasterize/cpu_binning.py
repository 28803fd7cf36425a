"""CPU kernels: which Gaussians touch which 16 x 16 tile, front to back.

Gaussians are sorted by depth once per image, then dealt to the tiles in that order: each tile's
list comes out sorted. Every (Gaussian, tile) pair also has a slot for the backward pass; the slots
of a Gaussian are contiguous, so that its gradient is summed in a fixed order and without atomics.
"""

from __future__ import annotations

import numpy as np

from ..jit import EXACT_MATH, device, kernel, next_index
from .cpu_projection_backward import BLUE, GREEN, RED

_DIGIT = 2048  # 11 bits; three digits cover a float's 32
_DIGIT_BITS = 11

SLOT = 9  # numbers per pair: the sums that `cpu_projection_backward` names, without D_DEPTH
_BLOCK = 512


@device(EXACT_MATH)
def _depth_order(keys, visible, order, spare):
    """Stable radix sort of the visible Gaussians by the bits of their (positive) depths."""
    histogram = np.empty(_DIGIT, np.int64)
    for digit in range(3):
        shift = np.uint32(digit * _DIGIT_BITS)
        histogram[:] = 0
        for i in range(visible):
            histogram[(keys[order[i]] >> shift) & np.uint32(_DIGIT - 1)] += 1
        position = 0
        for value in range(_DIGIT):
            count = histogram[value]
            histogram[value] = position
            position += count
        for i in range(visible):
            value = (keys[order[i]] >> shift) & np.uint32(_DIGIT - 1)
            spare[histogram[value]] = order[i]
            histogram[value] += 1
        for i in range(visible):
            order[i] = spare[i]


@kernel(
    "void(int64[::1], int32[:,::1], uint32[:,::1], int64, int64[:,::1], int64[:,::1], int32[:,::1],"
    "int64[::1])",
    EXACT_MATH,
)
def count_and_sort(
    counter,  # [1] taken from
    boxes,  # [B N, 4]
    keys,  # [B, N] bits of the camera depths
    tiles_x,
    tile_ends,  # [B, tiles] written: pairs in tiles up to and including this one
    slot_starts,  # [B, N] written: slot of each Gaussian's first pair
    orders,  # [B, N] written: visible Gaussians, near to far
    visible_counts,  # [B] written
):
    images, size = keys.shape
    spare = np.empty(size, np.int32)
    while True:
        image = next_index(counter)
        if image >= images:
            return
        ends = tile_ends[image]
        ends[:] = 0
        slots, visible = 0, 0
        for i in range(size):
            slot_starts[image, i] = slots
            box = boxes[image * size + i]
            x0, y0, x1, y1 = box[0], box[1], box[2], box[3]
            for y in range(y0, y1):
                for x in range(x0, x1):
                    ends[y * tiles_x + x] += 1
            if x1 > x0 and y1 > y0:
                orders[image, visible] = i
                visible += 1
                slots += (x1 - x0) * (y1 - y0)
        for tile in range(1, ends.shape[0]):
            ends[tile] += ends[tile - 1]
        visible_counts[image] = visible
        _depth_order(keys[image], visible, orders[image], spare)


@kernel(
    "void(int64[::1], int32[:,::1], int64, int32[:,::1], int64[::1], int64[:,::1], int64[:,::1],"
    "int32[::1], int64[::1])",
    EXACT_MATH,
)
def deal(
    counter,  # [1] taken from
    boxes,  # [B N, 4]
    tiles_x,
    orders,  # [B, N]
    visible_counts,  # [B]
    tile_starts,  # [B, tiles] used up: ends as the tiles' ends
    slot_starts,  # [B, N]
    pair_gaussians,  # [pairs] written: row of boxes, grouped by tile, near to far
    pair_slots,  # [pairs] written
):
    images, size = orders.shape
    while True:
        image = next_index(counter)
        if image >= images:
            return
        starts = tile_starts[image]
        for position in range(visible_counts[image]):
            i = orders[image, position]
            box = boxes[image * size + i]
            x0, y0, x1, y1 = box[0], box[1], box[2], box[3]
            slot = slot_starts[image, i]
            for y in range(y0, y1):
                for x in range(x0, x1):
                    pair = starts[y * tiles_x + x]
                    starts[y * tiles_x + x] = pair + 1
                    pair_gaussians[pair] = image * size + i
                    pair_slots[pair] = slot
                    slot += 1


@kernel("void(int64[::1], int64[::1], float32[:,::1], float32[:,::1])", EXACT_MATH)
def gather(
    counter,  # [1] taken from
    slot_starts,  # [B N + 1]
    slots,  # [pairs, SLOT]
    sums,  # [B N, SUMS] geometric sums added to, colour sums replaced
):
    total = sums.shape[0]
    while True:
        begin = next_index(counter) * _BLOCK
        if begin >= total:
            return
        for i in range(begin, min(begin + _BLOCK, total)):
            sums[i, RED], sums[i, GREEN], sums[i, BLUE] = 0, 0, 0
            for slot in range(slot_starts[i], slot_starts[i + 1]):
                for k in range(SLOT):
                    sums[i, k] += slots[slot, k]
