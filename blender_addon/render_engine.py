"""The render engine of the avatar layer: Gaussians to the passes that the compositor group reads.

Combined holds sRGB numbers premultiplied by alpha, as the Gaussians learned them; the group
(avatar_group.py) turns them into light. Depth is the soft-front distance along the view axis,
Spread and Holdout are what exposure.py says of them, Obstacles the depth of meshes that hold out.
Two classes, because an engine that asks for
a GPU context crashes Blender where there is no driver.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import bpy
import numpy as np

from ..engine.api.baked import GaussianArrays
from ..engine.api.errors import LikenessError
from . import avatar_layer, cpu_splats, holdouts, lens, render_avatars, splat_shader
from .camera_view import camera_view
from .cpu_splats import SplatImage, View
from .exposure import Developed, Exposure
from .motion_blur import shutter_offsets
from .render_avatars import Avatars

# Name, channels, their letters, type: Combined and Depth have the names of Blender's own.
PASSES = (
    ("Combined", 4, "RGBA", "COLOR"),
    ("Depth", 1, "Z", "VALUE"),
    ("Spread", 1, "X", "VALUE"),
    ("Holdout", 1, "X", "VALUE"),
    ("Obstacles", 1, "Z", "VALUE"),
)


class _AvatarEngine:
    """What both engines share; each says how it draws and what it lets go of afterwards."""

    bl_use_preview = False
    bl_use_postprocess = True  # without it the compositor silently never calls the engine

    def update_render_passes(
        self, scene: bpy.types.Scene, renderlayer: bpy.types.ViewLayer
    ) -> None:
        """Announce the passes; one that is not has no output at the Render Layers node."""
        for announced in PASSES:
            self.register_pass(scene, renderlayer, *announced)

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw every avatar of the layer at the depsgraph's frame."""
        source = avatar_layer.find_source(depsgraph.scene.original)
        try:
            passes = self._draw_passes(depsgraph, source)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return
        finally:
            self.release()
        if passes:
            self._write(passes)

    def _draw_passes(
        self, depsgraph: bpy.types.Depsgraph, source: bpy.types.Scene
    ) -> tuple[np.ndarray, ...]:
        """What goes into PASSES; nothing if the user has cancelled the render."""
        developed = self._expose(depsgraph, source)
        if developed is None:
            return ()
        view = camera_view(depsgraph, source, self.resolution_x, self.resolution_y)
        return *developed, holdouts.depth(depsgraph, source, view)

    def _expose(self, depsgraph: bpy.types.Depsgraph, source: bpy.types.Scene) -> Developed | None:
        """The frame: the mean over moments of the open shutter and points of the open lens.

        None if the user has cancelled the render.
        """
        # Blender brings only the whole frame to a layer's scene.
        frame = depsgraph.scene.frame_current + source.frame_subframe
        offsets = shutter_offsets(source)
        exposure = None
        for index, moment in enumerate(frame + offsets):
            self._go_to(depsgraph, moment)
            view = camera_view(depsgraph, source, self.resolution_x, self.resolution_y)
            exposure = exposure or Exposure(view.height, view.width)
            avatars = render_avatars.gather(depsgraph, source.likeness_render)
            for seen in self._through_lens(depsgraph, source, view, index, len(offsets)):
                if self.test_break():
                    return None
                self._add(exposure, avatars, seen)
        self._go_to(depsgraph, frame)
        return exposure.develop()

    def _go_to(self, depsgraph: bpy.types.Depsgraph, moment: float) -> None:
        scene = depsgraph.scene
        if scene.frame_current + scene.frame_subframe != moment:
            whole = math.floor(moment)
            self.frame_set(whole, moment - whole)

    def _through_lens(
        self,
        depsgraph: bpy.types.Depsgraph,
        source: bpy.types.Scene,
        view: View,
        index: int,
        moments: int,
    ) -> Iterator[View]:
        """The view from this moment's share of the points of the lens; the view itself without."""
        found = lens.find_lens(depsgraph.scene_eval.camera)
        if found is None:
            yield view
            return
        samples = max(source.likeness_render.lens_samples, moments)
        for point in lens.points(found, samples)[index::moments]:
            yield lens.through(view, point, found.focus)

    def _add(self, exposure: Exposure, avatars: Avatars, view: View) -> None:
        image = self.draw_splats(avatars.gaussians, view, avatars.sharpness, avatars.footprint)
        if avatars.cutters is None:
            exposure.add(image)
            return
        masks = self.draw_splats(avatars.cutters, view, avatars.sharpness, avatars.footprint)
        cut = masks.color[..., 0]  # share of each pixel's alpha that is of avatars that hold out
        color = image.color.copy()
        color[..., 3] = np.maximum(color[..., 3] - cut, 0)
        exposure.add(image._replace(color=color), cut)

    def _write(self, passes: tuple[np.ndarray, ...]) -> None:
        height, width = passes[0].shape[:2]
        result = self.begin_result(0, 0, width, height)
        written = result.layers[0].passes
        for (name, *_), values in zip(PASSES, passes, strict=True):
            # A flat array is copied at once; anything else goes through Python objects.
            written[name].rect.foreach_set(values.ravel())
        self.end_result(result)


class LikenessAvatarsCPU(_AvatarEngine, bpy.types.RenderEngine):
    """Draws with NumPy; needs no graphics driver."""

    bl_idname = avatar_layer.ENGINE_IDS["CPU"]
    bl_label = "Likeness Avatars (CPU)"
    bl_use_gpu_context = False

    def draw_splats(
        self, gaussians: GaussianArrays, view: View, sharpness: float, footprint: float
    ) -> SplatImage:
        return cpu_splats.rasterize(gaussians, view, sharpness, footprint)

    def release(self) -> None:
        """Nothing outlives a picture."""


class LikenessAvatarsGPU(_AvatarEngine, bpy.types.RenderEngine):
    """Draws with the viewport's shader, in float32, in a GPU context of its own thread."""

    bl_idname = avatar_layer.ENGINE_IDS["GPU"]
    bl_label = "Likeness Avatars"
    bl_use_gpu_context = True

    def draw_splats(
        self, gaussians: GaussianArrays, view: View, sharpness: float, footprint: float
    ) -> SplatImage:
        return splat_shader.rasterize(gaussians, view, sharpness, footprint)

    def release(self) -> None:
        """Without a window the GPU context ends with the render; freed later, Blender aborts."""
        if bpy.app.background:
            splat_shader.forget()


classes = (LikenessAvatarsCPU, LikenessAvatarsGPU)
