"""Draws textured triangles: z-buffer, perspective-correct bilinear texture, soft texture alpha.

Opaque texels first, translucent ones (hair edges) blended over them after. It knows no heads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import EXACT_MATH, kernel

OPAQUE = 0.95
NEAR = 0.05


class Surface(NamedTuple):
    """Triangles to draw with one texture."""

    points: np.ndarray  # [V, 3] camera space, metres, z forward
    triangles: np.ndarray  # [F, 3] int32
    texels: np.ndarray  # [F, 3, 2] texture pixels (x, y) per corner
    shade: np.ndarray  # [V] brightness factor
    texture: np.ndarray  # [h, w, 4] float32 straight RGBA, 0..1


def draw(
    surfaces: list[Surface], K: np.ndarray, width: int, height: int, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Image [H, W, 3] float32 over `background` and coverage [H, W] of the surfaces."""
    image = background.astype(np.float32).copy()
    coverage = np.zeros((height, width), np.float32)
    inverse_depth = np.zeros((height, width), np.float32)
    for translucent in (False, True):
        for s in surfaces:
            z = np.maximum(s.points[:, 2], NEAR)
            pixels = s.points[:, :2] / z[:, None] * (K[0, 0], K[1, 1]) + (K[0, 2], K[1, 2])
            _fill(
                pixels.astype(np.float32), (1 / z).astype(np.float32),
                np.ascontiguousarray(s.triangles, np.int32),
                np.ascontiguousarray(s.texels, np.float32),
                np.ascontiguousarray(s.shade, np.float32), s.texture,
                image, coverage, inverse_depth, translucent,
            )  # fmt: skip
    return image, coverage


@kernel(
    "void(float32[:,::1], float32[::1], int32[:,::1], float32[:,:,::1], float32[::1],"
    " float32[:,:,::1], float32[:,:,::1], float32[:,::1], float32[:,::1], boolean)",
    EXACT_MATH,
)
def _fill(pixels, inv_z, triangles, texels, shade, texture, image, coverage, inverse_depth, soft):
    height, width = coverage.shape
    for f in range(len(triangles)):
        a, b, c = triangles[f]
        ax, ay = pixels[a]
        bx, by = pixels[b]
        cx, cy = pixels[c]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        left, right = max(0, int(np.floor(min(ax, bx, cx)))), min(width, int(max(ax, bx, cx)) + 1)
        top, bottom = max(0, int(np.floor(min(ay, by, cy)))), min(height, int(max(ay, by, cy)) + 1)
        for y in range(top, bottom):
            for x in range(left, right):
                px, py = x + 0.5, y + 0.5
                wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                wc = 1 - wa - wb
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                pa, pb, pc = wa * inv_z[a], wb * inv_z[b], wc * inv_z[c]
                depth = pa + pb + pc
                if depth <= inverse_depth[y, x]:
                    continue
                pa, pb, pc = pa / depth, pb / depth, pc / depth
                u = pa * texels[f, 0, 0] + pb * texels[f, 1, 0] + pc * texels[f, 2, 0] - 0.5
                v = pa * texels[f, 0, 1] + pb * texels[f, 1, 1] + pc * texels[f, 2, 1] - 0.5
                u = min(max(u, 0.0), texture.shape[1] - 1.001)
                v = min(max(v, 0.0), texture.shape[0] - 1.001)
                iu, iv = int(u), int(v)
                fu, fv = u - iu, v - iv
                w00, w01 = (1 - fu) * (1 - fv), fu * (1 - fv)
                w10, w11 = (1 - fu) * fv, fu * fv
                alpha = (
                    w00 * texture[iv, iu, 3] + w01 * texture[iv, iu + 1, 3]
                    + w10 * texture[iv + 1, iu, 3] + w11 * texture[iv + 1, iu + 1, 3]
                )  # fmt: skip
                if (alpha < OPAQUE) != soft or alpha < 0.004:
                    continue
                bright = pa * shade[a] + pb * shade[b] + pc * shade[c]
                keep = 1 - alpha if soft else 0.0
                for k in range(3):
                    value = (
                        w00 * texture[iv, iu, k] + w01 * texture[iv, iu + 1, k]
                        + w10 * texture[iv + 1, iu, k] + w11 * texture[iv + 1, iu + 1, k]
                    )  # fmt: skip
                    image[y, x, k] = keep * image[y, x, k] + (1 - keep) * bright * value
                coverage[y, x] = keep * coverage[y, x] + 1 - keep
                if not soft:
                    inverse_depth[y, x] = depth


def depth_map(
    points: np.ndarray, triangles: np.ndarray, K: np.ndarray, width: int, height: int
) -> np.ndarray:
    """Camera depth [H, W] of the nearest triangle, 0 where there is none."""
    blank = np.ones((2, 2, 4), np.float32)
    corners = np.zeros((len(triangles), 3, 2), np.float32)
    inverse_depth = np.zeros((height, width), np.float32)
    z = np.maximum(points[:, 2], NEAR)
    pixels = points[:, :2] / z[:, None] * (K[0, 0], K[1, 1]) + (K[0, 2], K[1, 2])
    _fill(
        pixels.astype(np.float32), (1 / z).astype(np.float32),
        np.ascontiguousarray(triangles, np.int32), corners, np.ones(len(points), np.float32), blank,
        np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32),
        inverse_depth, False,
    )  # fmt: skip
    return np.where(inverse_depth > 0, 1 / np.maximum(inverse_depth, 1e-9), 0)
