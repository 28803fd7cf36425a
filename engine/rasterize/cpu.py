"""The CPU backend: a tile rasteriser in Numba kernels behind one torch autograd function.

Runs on `torch.get_num_threads()` threads of its own; the result does not depend on their number,
to the last bit. Works in single precision. Gradients reach all five fields of the Gaussians through
all three outputs, and the backgrounds; none reach the cameras.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..gaussians import Cameras, Gaussians
from . import cpu_binning, cpu_blending, cpu_projection, cpu_projection_backward
from .semantics import FRUSTUM_MARGIN
from .threads import run

TILE = cpu_projection.TILE
_CHUNK = 3  # channels blended at a time


class _Tiles(NamedTuple):
    """What projection and binning found; all that the gradient needs besides the inputs."""

    records: NDArray[np.float32]  # [B N, RECORD]
    boxes: NDArray[np.int32]  # [B N, 4]
    slot_starts: NDArray[np.int64]  # [B N + 1]
    tile_starts: NDArray[np.int64]  # [B * tiles + 1]
    pair_gaussians: NDArray[np.int32]  # [pairs]
    pair_slots: NDArray[np.int64]  # [pairs]
    work: NDArray[np.int64]  # tiles that are not empty


def rasterize(
    gaussians: Gaussians, cameras: Cameras, backgrounds: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """See `engine.rasterize.rasterize`; here all fields have a batch dimension [B, N, ...]."""
    arrays = (value.to(torch.float32).contiguous() for value in (*gaussians, backgrounds))
    return _Rasterize.apply(cameras, *arrays)


def _flat(value: Tensor) -> NDArray[np.float32]:
    """[B, N, ...] as [B N, ...] without copying."""
    return value.detach().flatten(0, 1).numpy()


def _camera_arrays(cameras: Cameras) -> tuple[NDArray[np.float64], ...]:
    """View matrices [B, 4, 4], Ks [B, 3, 3], and the slopes x/z and y/z that bound the Jacobian."""
    viewmats, Ks = (
        matrix.detach().to("cpu", torch.float64).contiguous().numpy()
        for matrix in (cameras.viewmats, cameras.Ks)
    )
    focal, centre = Ks[:, [0, 1], [0, 1]], Ks[:, :2, 2]
    size = np.array([cameras.width, cameras.height])
    margin = FRUSTUM_MARGIN * 0.5 * size / focal
    frusta = np.stack([-centre / focal - margin, (size - centre) / focal + margin], -1)
    return viewmats, Ks, frusta.reshape(-1, 4)


def _bin(gaussians: Gaussians, cameras: Cameras) -> _Tiles:
    images, size = gaussians.opacities.shape
    tiles_x, tiles_y = math.ceil(cameras.width / TILE), math.ceil(cameras.height / TILE)
    records = np.zeros((images * size, cpu_projection.RECORD), np.float32)
    boxes = np.empty((images * size, 4), np.int32)
    arrays = [_flat(value) for value in gaussians]
    matrices = _camera_arrays(cameras)
    size_of_image = (cameras.width, cameras.height)
    run(cpu_projection.project, *arrays, *matrices, *size_of_image, records, boxes)

    keys = np.ascontiguousarray(records[:, cpu_projection.DEPTH]).view(np.uint32)
    tile_ends = np.empty((images, tiles_x * tiles_y), np.int64)
    slot_starts = np.empty((images, size), np.int64)
    orders = np.empty((images, size), np.int32)
    visible = np.empty(images, np.int64)
    sorting = (boxes, keys.reshape(images, size), tiles_x, tile_ends, slot_starts, orders, visible)
    run(cpu_binning.count_and_sort, *sorting)

    before_image = np.concatenate([[0], np.cumsum(tile_ends[:, -1])])
    pairs = int(before_image[-1])
    slot_starts += before_image[:-1, None]
    tile_ends += before_image[:-1, None]
    tile_starts = np.concatenate([[0], tile_ends.ravel()])
    pair_gaussians, pair_slots = np.empty(pairs, np.int32), np.empty(pairs, np.int64)
    cursors = tile_starts[:-1].reshape(tile_ends.shape).copy()
    dealing = (orders, visible, cursors, slot_starts, pair_gaussians, pair_slots)
    run(cpu_binning.deal, boxes, tiles_x, *dealing)
    return _Tiles(
        records=records,
        boxes=boxes,
        slot_starts=np.append(slot_starts.ravel(), pairs),
        tile_starts=tile_starts,
        pair_gaussians=pair_gaussians,
        pair_slots=pair_slots,
        work=np.flatnonzero(np.diff(tile_starts)),
    )


def _chunk(value: Tensor, first: int) -> NDArray[np.float32]:
    """Channels [first, first + 3) of [..., D], zeros where D ends; the tensor itself when D = 3."""
    part = value.detach()[..., first : first + _CHUNK]
    missing = _CHUNK - part.shape[-1]
    if missing:
        part = torch.nn.functional.pad(part, (0, missing))
    return part.contiguous().numpy()


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cameras: Cameras, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gaussians, backgrounds = Gaussians(*inputs[:5]), inputs[5]
        tiles = _bin(gaussians, cameras)
        pixels = (len(backgrounds), cameras.height, cameras.width)
        image = backgrounds[:, None, None].expand(*pixels, -1)
        image = image.clone(memory_format=torch.contiguous_format)
        alpha, depth = image.new_zeros(pixels), image.new_zeros(pixels)
        tiles_x = math.ceil(cameras.width / TILE)
        for first in range(0, backgrounds.shape[-1], _CHUNK):
            part = _chunk(image, first)  # shares memory with the image when D = 3
            run(
                cpu_blending.blend,
                *(tiles.work, tiles_x, tiles.tile_starts, tiles.pair_gaussians, tiles.records),
                *(_chunk(gaussians.colors, first).reshape(-1, _CHUNK), _chunk(backgrounds, first)),
                *(part, alpha.numpy(), depth.numpy()),
            )
            width = min(_CHUNK, backgrounds.shape[-1] - first)
            if image.shape[-1] != _CHUNK:
                image[..., first : first + width] = torch.from_numpy(part[..., :width])
        ctx.save_for_backward(*inputs, image, alpha, depth)
        ctx.cameras, ctx.tiles = cameras, tiles
        ctx.set_materialize_grads(False)
        return image, alpha[..., None], depth[..., None]

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_image: Tensor | None, d_alpha: Tensor | None, d_depth: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        *inputs, image, alpha, depth = ctx.saved_tensors
        gaussians = Gaussians(*inputs[:5])
        d_image = torch.zeros_like(image) if d_image is None else d_image
        d_alpha = torch.zeros_like(alpha) if d_alpha is None else d_alpha[..., 0].contiguous()
        sums, d_colors = _pixel_sums(
            ctx.tiles, gaussians.colors, image, alpha, depth, (d_image, d_alpha, d_depth)
        )
        gradients = _project_backward(gaussians, ctx.cameras, ctx.tiles.boxes, sums)
        d_backgrounds = None
        if ctx.needs_input_grad[6]:
            d_backgrounds = torch.einsum("bhwd,bhw->bd", d_image, 1 - alpha)
        return None, *gradients, d_colors, d_backgrounds


def _pixel_sums(
    tiles: _Tiles,
    colors: Tensor,
    image: Tensor,
    alpha: Tensor,
    depth: Tensor,
    upstream: tuple[Tensor, Tensor, Tensor | None],
) -> tuple[NDArray[np.float32], Tensor]:
    """Sums over pixels for `project_backward` [B N, SUMS], and dL/dcolors [B, N, D].

    Depth is blended like a colour that is the camera z; its gradient takes a pass of its own.
    """
    d_image, d_alpha, d_depth = upstream
    rows, channels = len(tiles.records), colors.shape[-1]
    sums = np.zeros((rows, cpu_projection_backward.SUMS), np.float32)
    d_colors = torch.empty_like(colors)

    def add(parts: Iterable[Tensor], first: int, d_alpha: Tensor) -> None:
        color, blended, d_blended = (_chunk(value, first) for value in parts)
        slots = np.zeros((len(tiles.pair_slots), cpu_binning.SLOT), np.float32)
        run(
            cpu_blending.blend_backward,
            *(tiles.work, math.ceil(image.shape[2] / TILE), tiles.tile_starts),
            *(tiles.pair_gaussians, tiles.pair_slots, tiles.records, color.reshape(-1, _CHUNK)),
            *(blended, alpha.numpy(), d_blended, d_alpha.numpy(), slots),
        )
        run(cpu_binning.gather, tiles.slot_starts, slots, sums)

    for first in range(0, channels, _CHUNK):
        add((colors, image, d_image), first, d_alpha if first == 0 else torch.zeros_like(alpha))
        width = min(_CHUNK, channels - first)
        color_sums = torch.from_numpy(sums[:, cpu_projection_backward.RED :][:, :width])
        d_colors[..., first : first + width] = color_sums.reshape(*colors.shape[:-1], width)
    if d_depth is not None:
        z = torch.from_numpy(tiles.records[:, cpu_projection.DEPTH, None])
        add((z, depth[..., None], d_depth), 0, torch.zeros_like(alpha))
        sums[:, cpu_projection_backward.D_DEPTH] = sums[:, cpu_projection_backward.RED]
    return sums, d_colors


def _project_backward(
    gaussians: Gaussians, cameras: Cameras, boxes: NDArray, sums: NDArray
) -> tuple[Tensor, ...]:
    """Gradients of means, quats, scales and opacities."""
    inputs = gaussians[:4]
    gradients = tuple(torch.zeros_like(value) for value in inputs)
    run(
        cpu_projection_backward.project_backward,
        *(_flat(value) for value in inputs),
        *(*_camera_arrays(cameras), boxes, sums),
        *(_flat(value) for value in gradients),
    )
    return gradients
