"""Gaussians to pixels in NumPy: the final render where there is no OpenGL, and the GPU's oracle.

The engine's semantics (engine/rasterize/semantics.py): EWA covariance plus a 0.3 px^2 blur, alpha =
min(0.999, o exp(-sigma)), alpha below 1/255 skipped, a pixel finished before its transmittance
would fall to 1e-4. Every pixel sees its Gaussians in exact depth order of their centres.

It knows Blender's camera conventions (view along -z, window matrix, rows from the bottom up) but
not `bpy`. Colours are blended in the numbers they were learned in: display-referred sRGB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..engine.api.baked import GaussianArrays
from ..engine.api.rotations import matrix_from_quat
from .soft_front import close_gaps

BLUR = 0.3  # px^2 added to the covariance
MAX_ALPHA = 0.999
MIN_ALPHA = 1 / 255
MIN_TRANSMITTANCE = 1e-4
NEAR = 0.01  # metres in front of the camera; nearer Gaussians are dropped, as in training
EMPTY_DEPTH = 0.0  # where no Gaussian is seen; nothing is nearer, so a silhouette hides nothing
_FRAGMENTS_PER_CHUNK = 1_500_000


class View(NamedTuple):
    """A camera and the pixels it fills, as Blender gives them."""

    view_matrix: np.ndarray  # [4, 4] world to camera, looking along -z
    window_matrix: np.ndarray  # [4, 4] camera to clip space
    width: int
    height: int


class SplatImage(NamedTuple):
    """A layer of Gaussians, rows from the bottom up."""

    color: np.ndarray  # [H, W, 4] float32, sRGB numbers premultiplied by alpha
    depth: np.ndarray  # [H, W] float32, soft-front distance along the view axis


class _Projected(NamedTuple):
    """M Gaussians on the screen, nearest first."""

    means: np.ndarray  # [M, 2] pixels
    conics: np.ndarray  # [M, 3] xx, xy, yy of the inverse covariance
    opacities: np.ndarray  # [M]
    depths: np.ndarray  # [M]
    colors: np.ndarray  # [M, 3]
    corners: np.ndarray  # [M, 2] int, first pixel of the box
    sizes: np.ndarray  # [M, 2] int, columns and rows of the box


def rasterize(
    gaussians: GaussianArrays, view: View, sharpness: float, footprint: float = 0.0
) -> SplatImage:
    """Blend N Gaussians in Blender's world.

    `sharpness` (1/metres) is c of the soft-front depth z = -ln(mean of exp(-c z_i)) / c, the mean
    taken with the blending weights: large values give the first surface, small ones the average.
    `footprint` (m^2) is the size on the head that the blur had in training; the blur never gets
    smaller than it, or a closer view would show thinner Gaussians than those that were learned.
    """
    splats = _project(gaussians, view, footprint)
    pixels = view.width * view.height
    sums = np.zeros((pixels, 5), np.float32)  # r, g, b, alpha, soft-front
    transmittance = np.ones(pixels)
    scale = close_gaps(splats.depths)
    front = np.exp(-sharpness * scale.place(splats.depths))
    values = np.column_stack([splats.colors, np.ones_like(front), front]).astype(np.float32)
    for chunk in _chunks(splats.sizes.prod(axis=1)):
        _blend(splats, chunk, values, view.width, sums, transmittance)
    alpha = sums[:, 3]
    seen = (alpha > MIN_ALPHA) & (sums[:, 4] > 0)
    depth = np.full(pixels, EMPTY_DEPTH, np.float32)
    depth[seen] = scale.depth(sums[seen, 4], alpha[seen], sharpness)
    shape = (view.height, view.width)
    return SplatImage(sums[:, :4].reshape(*shape, 4), depth.reshape(shape))


def _project(gaussians: GaussianArrays, view: View, footprint: float) -> _Projected:
    size = np.array([view.width, view.height], float)
    means = np.asarray(gaussians.means, float)
    clip_rows = view.window_matrix @ view.view_matrix
    clip = means @ clip_rows[:, :3].T + clip_rows[:, 3]
    depths = -(means @ view.view_matrix[2, :3] + view.view_matrix[2, 3])
    w = clip[:, 3:]
    # One formula for perspective, orthographic and shifted lenses: d(clip / w)/d(world).
    safe = np.where(w > 1e-9, w, 1.0)
    jacobian = clip_rows[None, :2, :3] * safe[..., None] - clip[:, :2, None] * clip_rows[3, :3]
    jacobian *= (size / 2)[:, None] / safe[..., None] ** 2
    spread = jacobian @ (
        matrix_from_quat(np.asarray(gaussians.quats, float))
        * np.asarray(gaussians.scales, float)[:, None, :]
    )
    cov = spread @ spread.transpose(0, 2, 1)
    blur = np.maximum(BLUR, footprint * np.sum(jacobian**2, axis=2))
    xx, xy, yy = cov[:, 0, 0] + blur[:, 0], cov[:, 0, 1], cov[:, 1, 1] + blur[:, 1]
    centres = (clip[:, :2] / safe + 1) * size / 2
    opacities = np.asarray(gaussians.opacities, float)
    visible = (depths > NEAR) & (w[:, 0] > 0) & (opacities > MIN_ALPHA)
    # Where o exp(-sigma) falls to 1/255: the box of that ellipse.
    reach = np.sqrt(2 * np.log(np.maximum(opacities / MIN_ALPHA, 1.0)))
    extents = reach[:, None] * np.sqrt(np.stack([xx, yy], -1))
    low = np.clip(np.floor(centres - extents - 0.5) + 1, 0, size)
    high = np.clip(np.floor(centres + extents - 0.5) + 1, 0, size)
    visible &= (high > low).all(axis=1) & np.isfinite(centres).all(axis=1)
    visible &= np.isfinite(xx * yy)
    index = np.flatnonzero(visible)
    index = index[np.argsort(depths[index], kind="stable")]
    determinant = (xx * yy - xy * xy)[index]
    return _Projected(
        means=centres[index],
        conics=np.stack([yy[index], -xy[index], xx[index]], -1) / determinant[:, None],
        opacities=opacities[index],
        depths=depths[index],
        colors=np.asarray(gaussians.colors)[index],
        corners=low[index].astype(np.int64),
        sizes=(high - low)[index].astype(np.int64),
    )


def _chunks(counts: np.ndarray) -> Iterator[slice]:
    """Runs of splats, nearest first, whose boxes hold about _FRAGMENTS_PER_CHUNK pixels."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + _FRAGMENTS_PER_CHUNK)), start + 1)
        yield slice(start, stop)
        start = stop


def _blend(
    splats: _Projected,
    chunk: slice,
    values: np.ndarray,  # [M, 5]
    width: int,
    sums: np.ndarray,  # [H * W, 5], added to
    transmittance: np.ndarray,  # [H * W], multiplied; 0 once a pixel is finished
) -> None:
    splat, pixel, alpha = _fragments(splats, chunk, width, transmittance)
    if not len(splat):
        return
    order = np.argsort(pixel, kind="stable")  # stable keeps the depth order in each pixel
    splat, pixel, alpha = splat[order], pixel[order], alpha[order]
    starts = np.flatnonzero(np.r_[True, pixel[1:] != pixel[:-1]])
    touched = pixel[starts]
    lengths = np.diff(np.r_[starts, len(pixel)])
    # Transmittance behind each fragment: a cumulative product that restarts at every pixel.
    log_behind = np.cumsum(np.log1p(-alpha))
    log_before = np.r_[0.0, log_behind[:-1]][starts]
    behind = np.exp(log_behind - np.repeat(log_before, lengths))
    behind *= np.repeat(transmittance[touched], lengths)
    weight = np.where(behind > MIN_TRANSMITTANCE, behind / (1 - alpha) * alpha, 0.0)
    sums[touched] += np.add.reduceat(weight.astype(np.float32)[:, None] * values[splat], starts)
    last = behind[starts + lengths - 1]
    transmittance[touched] = np.where(last > MIN_TRANSMITTANCE, last, 0.0)


def _fragments(
    splats: _Projected, chunk: slice, width: int, transmittance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Splat index, pixel index and alpha of every fragment that adds to a pixel, in depth order."""
    sizes = splats.sizes[chunk]
    counts = sizes.prod(axis=1)
    splat = np.repeat(np.arange(chunk.start, chunk.stop), counts)
    within = np.arange(len(splat)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = np.repeat(sizes[:, 0], counts)
    y, x = np.divmod(within, columns)
    x += splats.corners[splat, 0]
    y += splats.corners[splat, 1]
    pixel = y * width + x
    live = np.flatnonzero(transmittance[pixel] > 0)
    splat, pixel, x, y = splat[live], pixel[live], x[live], y[live]
    dx = x + 0.5 - splats.means[splat, 0]
    dy = y + 0.5 - splats.means[splat, 1]
    xx, xy, yy = splats.conics[splat].T
    sigma = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy
    alpha = np.minimum(splats.opacities[splat] * np.exp(-sigma), MAX_ALPHA)
    kept = np.flatnonzero(alpha >= MIN_ALPHA)
    return splat[kept], pixel[kept], alpha[kept]
