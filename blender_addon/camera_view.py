"""What the camera of a render sees, as the rasterisers want it."""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.errors import LikenessError
from .cpu_splats import View


def camera_view(
    depsgraph: bpy.types.Depsgraph, source: bpy.types.Scene, width: int, height: int
) -> View:
    """The view of the depsgraph's camera, cut to the source scene's render border.

    Raises LikenessError for panoramic cameras, which no window matrix describes.
    """
    camera = depsgraph.scene_eval.camera
    if camera.data.type == "PANO":
        raise LikenessError(
            f"Avatars cannot be rendered through the panoramic camera {camera.name}.",
            "Use a perspective or orthographic camera.",
        )
    render = source.render
    window = camera.calc_matrix_camera(
        depsgraph,
        x=width,
        y=height,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    view_matrix = np.array(camera.matrix_world.normalized().inverted())
    whole = View(view_matrix, np.array(window), width, height)
    return _cut_to_border(whole, render) if render.use_border else whole


def _cut_to_border(view: View, render: bpy.types.RenderSettings) -> View:
    """Only the border's pixels. Blender multiplies in float32 and drops the fraction."""
    size = np.array([view.width, view.height], np.float32)
    low = (np.float32([render.border_min_x, render.border_min_y]) * size).astype(int)
    high = (np.float32([render.border_max_x, render.border_max_y]) * size).astype(int)
    cut = np.eye(4)
    for axis in range(2):
        scale = size[axis] / (high[axis] - low[axis])
        centre = (low[axis] + high[axis]) / size[axis] - 1
        cut[axis, axis] = scale
        cut[axis, 3] = -scale * centre
    return View(view.view_matrix, cut @ view.window_matrix, *(int(n) for n in high - low))
