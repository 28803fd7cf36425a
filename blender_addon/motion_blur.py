"""Motion blur of the avatar layer: moments at which the camera's shutter is open.

The scene's own shutter settings apply, so the avatar blurs as the meshes around it do.
"""

from __future__ import annotations

import bpy
import numpy as np


def shutter_offsets(source: bpy.types.Scene) -> np.ndarray:
    """Moments [S] relative to the frame, in frames; only the frame itself without motion blur."""
    render = source.render
    if not render.use_motion_blur:
        return np.zeros(1)
    shutter = render.motion_blur_shutter
    opens = {"START": 0.0, "CENTER": -0.5 * shutter, "END": -shutter}[render.motion_blur_position]
    samples = source.likeness_render.motion_samples
    return opens + shutter * (np.arange(samples) + 0.5) / samples
