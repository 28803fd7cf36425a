"""Motion blur of the avatar layer: the mean of moments at which the camera's shutter is open.

The scene's own shutter settings apply, so the avatar blurs as the meshes around it do.
"""

from __future__ import annotations

import bpy
import numpy as np

from .cpu_splats import EMPTY_DEPTH, SplatImage


def shutter_offsets(source: bpy.types.Scene) -> np.ndarray:
    """Moments [S] relative to the frame, in frames; only the frame itself without motion blur."""
    render = source.render
    if not render.use_motion_blur:
        return np.zeros(1)
    shutter = render.motion_blur_shutter
    opens = {"START": 0.0, "CENTER": -0.5 * shutter, "END": -shutter}[render.motion_blur_position]
    samples = source.likeness_render.motion_samples
    return opens + shutter * (np.arange(samples) + 0.5) / samples


class Exposure:
    """Adds pictures of one size up to their mean."""

    def __init__(self) -> None:
        self._pictures = 0
        self._color: np.ndarray | float = 0.0  # [H, W, 4] sum
        self._depth: np.ndarray | float = 0.0  # [H, W] sum weighted by alpha
        self._weight: np.ndarray | float = 0.0  # [H, W] alpha where there is a depth

    def add(self, image: SplatImage) -> None:
        """One more moment."""
        weight = np.where(image.depth > EMPTY_DEPTH, image.color[..., 3], 0.0)
        self._pictures += 1
        self._color = self._color + image.color
        self._depth = self._depth + weight * image.depth
        self._weight = self._weight + weight

    def develop(self) -> SplatImage:
        """The mean picture; its depth is the mean over the moments that saw something."""
        weight = np.asarray(self._weight)
        depth = np.where(weight > 0, self._depth / np.maximum(weight, 1e-12), EMPTY_DEPTH)
        color = np.asarray(self._color) / self._pictures
        return SplatImage(color.astype(np.float32), depth.astype(np.float32))
