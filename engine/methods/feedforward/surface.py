"""What each pixel shows of the head's mesh: depth, triangle and place in it.

The mesh is drawn on the processor whatever the network runs on: a millisecond for each picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ...api.errors import TrackingError
from ...gaussians import Cameras
from ...rasterize.cpu_mesh import raster_mesh
from .projection import project


@dataclass(frozen=True)
class SurfaceMaps:
    """What V pictures show of the mesh, cell by cell. A cell that shows none of it has what the
    nearest one has that does, but for `covered`."""

    covered: Tensor  # [V, h, w] bool
    depth: Tensor  # [V, h, w] metres along the camera's axis
    face: Tensor  # [V, h, w] int64
    barycentric: Tensor  # [V, h, w, 3]

    @property
    def buffer(self) -> Tensor:
        """Depths [V, h, w] with infinity where the mesh is not seen, for `visible`."""
        return self.depth.masked_fill(~self.covered, torch.inf)


@torch.no_grad()
def surface_maps(
    vertices: Tensor, faces: np.ndarray, cameras: Cameras, rows: int, columns: int
) -> SurfaceMaps:
    """Maps of rows x columns cells over the pictures of V cameras, of posed vertices [V, n, 3].

    Raises TrackingError when a picture shows nothing of the head.
    """
    pixels, depth = project(vertices, cameras.viewmats, cameras.Ks)
    scale = pixels.new_tensor([columns / cameras.width, rows / cameras.height])
    projected = torch.cat([pixels * scale, depth[..., None]], dim=-1).double().cpu().numpy()
    views = [_filled(*raster_mesh(one, faces, columns, rows)) for one in projected]
    covered, depths, face, barycentric = (
        torch.from_numpy(np.stack(maps)).to(vertices.device) for maps in zip(*views, strict=True)
    )
    return SurfaceMaps(covered, depths.to(vertices.dtype), face.long(), barycentric)


def _filled(
    depth: np.ndarray, face: np.ndarray, barycentrics: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Covered [h, w], then the three maps with empty cells as the nearest full ones."""
    covered = face >= 0
    if not covered.any():
        raise TrackingError("A picture shows nothing of the tracked head.", "Track it again.")
    row, column = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return covered, depth[row, column], face[row, column], barycentrics[row, column]
