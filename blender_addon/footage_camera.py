"""The camera that filmed the footage: a child of the rig, right wherever that goes."""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy

from ..engine.api.baked import Performance
from .animation import FIRST_FRAME, reference_place
from .avatar_object import find_rig, read
from .coordinates import camera_matrix_world, lens_settings, vectors_to_blender

_OF_RENDER = (
    "fps", "fps_base", "resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x",
    "pixel_aspect_y",
)  # fmt: skip
_OF_SCENE = ("frame_start", "frame_end", "frame_current")


class SceneSettings(NamedTuple):
    """What `match_scene` and `add_camera` change in a scene, as it was before."""

    render: dict[str, Any]
    scene: dict[str, Any]

    @classmethod
    def of(cls, scene: bpy.types.Scene) -> SceneSettings:
        """The settings that a scene has now."""
        return cls(
            {name: getattr(scene.render, name) for name in _OF_RENDER},
            {name: getattr(scene, name) for name in _OF_SCENE},
        )

    def give_back(self, scene: bpy.types.Scene) -> None:
        """Make the scene what it was; a camera is not part of it, as it may be gone."""
        for owner, values in ((scene.render, self.render), (scene, self.scene)):
            for name, value in values.items():
                setattr(owner, name, value)


def match_scene(scene: bpy.types.Scene, performance: Performance) -> None:
    """Give the scene the footage's frame rate, length and picture size."""
    render = scene.render
    render.fps = max(1, round(performance.fps))
    render.fps_base = render.fps / performance.fps
    render.resolution_x, render.resolution_y = performance.width, performance.height
    render.resolution_percentage = 100
    duration = float(performance.times[-1]) if len(performance.times) else 0.0
    scene.frame_start = FIRST_FRAME
    scene.frame_end = max(FIRST_FRAME, FIRST_FRAME + round(duration * performance.fps))
    scene.frame_set(FIRST_FRAME)


def add_camera(context: bpy.types.Context, proxy: bpy.types.Object) -> bpy.types.Object:
    """The camera that sees the avatar as the footage did; kept by the avatar, made once."""
    avatar = read(proxy)
    camera = proxy.likeness.camera
    if camera is None:
        name = f"{avatar.name} Footage Camera"
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        context.collection.objects.link(camera)
        proxy.likeness.camera = camera
    performance = avatar.performance
    lens = lens_settings(performance.K, performance.width, performance.height)
    camera.data.sensor_fit = "HORIZONTAL"
    camera.data.sensor_width = lens.sensor_width
    camera.data.lens = lens.lens
    camera.data.shift_x, camera.data.shift_y = lens.shift_x, lens.shift_y
    camera.data.clip_start = 0.01
    camera.data.display_size = 0.1
    context.scene.render.pixel_aspect_x = 1.0
    context.scene.render.pixel_aspect_y = lens.pixel_aspect_y
    matrix = camera_matrix_world(performance.viewmat)
    matrix[:3, 3] -= vectors_to_blender(reference_place(performance))
    camera.parent = find_rig(proxy)
    camera.matrix_basis = matrix.T  # mathutils reads columns from a buffer of rows
    return camera
