"""The render engine of the avatar layer: Gaussians to a Combined and a Depth pass.

Combined holds sRGB numbers premultiplied by alpha, as the Gaussians learned them; the compositor
group (avatar_group.py) turns them into light. Depth is the soft-front distance along the view axis.
Two classes, because an engine that asks for a GPU context crashes Blender where there is no driver.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import bpy
import numpy as np

from ..engine.api.baked import GaussianArrays
from ..engine.api.errors import LikenessError
from . import avatar_layer, avatar_object, cpu_splats, splat_shader
from .cpu_splats import SplatImage, View
from .motion_blur import Exposure, shutter_offsets
from .render_settings import LikenessRenderSettings


class Avatars(NamedTuple):
    """Every avatar of a layer in Blender's world, together, so that their Gaussians sort as one."""

    gaussians: GaussianArrays
    sharpness: float  # 1/metre, c of the soft-front depth
    footprint: float  # m^2, the training blur's size on the smallest head


class _AvatarEngine:
    """What both engines share; each says how it draws and what it lets go of afterwards."""

    bl_use_preview = False
    bl_use_postprocess = True  # without it the compositor silently never calls the engine

    def update_render_passes(
        self, scene: bpy.types.Scene, renderlayer: bpy.types.ViewLayer
    ) -> None:
        """Announce the passes; without Depth the Render Layers node has no Depth output."""
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        self.register_pass(scene, renderlayer, "Depth", 1, "Z", "VALUE")

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw every avatar of the layer at the depsgraph's frame."""
        source = avatar_layer.find_source(depsgraph.scene.original)
        try:
            exposure = self._expose(depsgraph, source)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return
        finally:
            self.release()
        if not self.test_break():
            self._write(exposure.develop())

    def _expose(self, depsgraph: bpy.types.Depsgraph, source: bpy.types.Scene) -> Exposure:
        """The frame, or with motion blur moments of the open shutter; fewer if cancelled."""
        frame = depsgraph.scene.frame_current_final
        exposure = Exposure()
        for moment in frame + shutter_offsets(source):
            if self.test_break():
                break
            self._go_to(depsgraph, moment)
            view = camera_view(depsgraph, source, self.resolution_x, self.resolution_y)
            exposure.add(self.draw_splats(gather(depsgraph, source.likeness_render), view))
        self._go_to(depsgraph, frame)
        return exposure

    def _go_to(self, depsgraph: bpy.types.Depsgraph, moment: float) -> None:
        if depsgraph.scene.frame_current_final != moment:
            whole = math.floor(moment)
            self.frame_set(whole, moment - whole)

    def _write(self, image: SplatImage) -> None:
        height, width = image.depth.shape
        result = self.begin_result(0, 0, width, height)
        passes = result.layers[0].passes
        # A flat array is copied at once; anything else goes through Python objects.
        passes["Combined"].rect.foreach_set(image.color.ravel())
        passes["Depth"].rect.foreach_set(image.depth.ravel())
        self.end_result(result)


class LikenessAvatarsCPU(_AvatarEngine, bpy.types.RenderEngine):
    """Draws with NumPy; needs no graphics driver."""

    bl_idname = avatar_layer.ENGINE_IDS["CPU"]
    bl_label = "Likeness Avatars (CPU)"
    bl_use_gpu_context = False

    def draw_splats(self, avatars: Avatars, view: View) -> SplatImage:
        return cpu_splats.rasterize(avatars.gaussians, view, avatars.sharpness, avatars.footprint)

    def release(self) -> None:
        """Nothing outlives a picture."""


class LikenessAvatarsGPU(_AvatarEngine, bpy.types.RenderEngine):
    """Draws with the viewport's shader, in float32, in a GPU context of its own thread."""

    bl_idname = avatar_layer.ENGINE_IDS["GPU"]
    bl_label = "Likeness Avatars"
    bl_use_gpu_context = True

    def draw_splats(self, avatars: Avatars, view: View) -> SplatImage:
        return splat_shader.rasterize(avatars.gaussians, view, avatars.sharpness, avatars.footprint)

    def release(self) -> None:
        """Without a window the GPU context ends with the render; freed later, Blender aborts."""
        if bpy.app.background:
            splat_shader.forget()


def gather(depsgraph: bpy.types.Depsgraph, settings: LikenessRenderSettings) -> Avatars:
    """The avatars that the depsgraph shows, instances too, as one set.

    Raises LikenessError as `avatar_object.pose` does.
    """
    shown = [
        one
        for one in avatar_object.appearances(depsgraph)
        if not any(obj.evaluated_get(depsgraph).hide_render for obj in (one.avatar, one.shower))
    ]
    drawn = [avatar_object.drawn(one, depsgraph, settings.level) for one in shown]
    parts = [one.gaussians for one in drawn]
    if not parts:
        parts = [GaussianArrays(*(np.zeros((0, *tail)) for tail in ((3,), (4,), (3,), (), (3,))))]
    return Avatars(
        gaussians=GaussianArrays(*map(np.concatenate, zip(*parts, strict=True))),
        sharpness=settings.depth_sharpness / min((one.radius for one in drawn), default=1.0),
        footprint=min((one.footprint for one in drawn), default=0.0),
    )


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


classes = (LikenessAvatarsCPU, LikenessAvatarsGPU)
