"""CPU kernel: the z-buffer of a triangle mesh; the fast twin of `engine.mesh.raster_mesh`."""

from __future__ import annotations

import numpy as np

from ..jit import EXACT_MATH, kernel


@kernel(
    "void(float64[:,:,::1], float64[:,::1], int32[:,::1], float32[:,:,::1])",
    EXACT_MATH,
)
def draw_triangles(
    corners,  # [F, 3, 3] x and y in pixels, camera depth
    closeness,  # [H, W] written: 1 / depth, zero to begin with
    face,  # [H, W] written: the nearest triangle, -1 to begin with
    barycentrics,  # [H, W, 3] written: of the picture plane
):
    height, width = closeness.shape
    for triangle in range(corners.shape[0]):
        x0, y0, z0 = corners[triangle, 0]
        x1, y1, z1 = corners[triangle, 1]
        x2, y2, z2 = corners[triangle, 2]
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if min(z0, min(z1, z2)) <= 0 or not abs(area) > 1e-12:
            continue
        left = max(0, int(np.floor(min(x0, min(x1, x2)) - 0.5)))
        right = min(width, int(np.ceil(max(x0, max(x1, x2)) + 0.5)))
        top = max(0, int(np.floor(min(y0, min(y1, y2)) - 0.5)))
        bottom = min(height, int(np.ceil(max(y0, max(y1, y2)) + 0.5)))
        for row in range(top, bottom):
            for column in range(left, right):
                x, y = column + 0.5, row + 0.5
                first = ((x1 - x) * (y2 - y) - (y1 - y) * (x2 - x)) / area
                second = ((x2 - x) * (y0 - y) - (y2 - y) * (x0 - x)) / area
                third = 1 - first - second
                if min(first, min(second, third)) < -1e-9:
                    continue
                near = first / z0 + second / z1 + third / z2  # 1 / z is linear in the picture
                if near > closeness[row, column]:
                    closeness[row, column] = near
                    face[row, column] = triangle
                    barycentrics[row, column, 0] = first
                    barycentrics[row, column, 1] = second
                    barycentrics[row, column, 2] = third


def raster_mesh(
    projected: np.ndarray, faces: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth [H, W] or inf, face [H, W] int32 or -1 and barycentrics [H, W, 3] of projected vertices
    [V, 3], as `engine.mesh.raster_mesh` gives them."""
    closeness = np.zeros((height, width))
    face = np.full((height, width), -1, np.int32)
    barycentrics = np.zeros((height, width, 3), np.float32)
    corners = np.ascontiguousarray(projected[faces], np.float64)
    draw_triangles(corners, closeness, face, barycentrics)
    with np.errstate(divide="ignore"):
        return np.where(closeness > 0, 1 / closeness, np.inf), face, barycentrics
