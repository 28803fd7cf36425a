"""An avatar with one slider after the other fully on, evaluated by the add-on and drawn by its CPU
rasteriser, for tests/slider_sheet.py.

    python -m tests.blender.slider_tiles AVATAR.likeness OUT.npy SIZE SLIDER[,SLIDER...] ...
"""

from __future__ import annotations

import os
import sys

import bpy
import numpy as np

from tests.blender.conftest import ROOT

GREY = 0.35


def main() -> None:
    """Write uint8 [pictures, SIZE, SIZE, 3]; the first has every slider at 0."""
    from likeness.blender_addon import footage_camera, importing, registration
    from likeness.engine.api.avatar_file import read_avatar

    path, output, size, *wanted = sys.argv[1:]
    sys.path.insert(0, str(ROOT))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.addons.new().module = "likeness"
    registration.register()
    proxy = importing.add(bpy.context, read_avatar(path), performance=False, match_scene=True)
    camera = footage_camera.add_camera(bpy.context, proxy)
    groups = [[], *[group.split(",") for group in wanted]]
    np.save(output, np.stack([picture(proxy, camera, group, int(size)) for group in groups]))
    sys.stdout.flush()
    os._exit(0)  # Blender 4.5's wheel hangs while it frees its memory at exit


def picture(
    proxy: bpy.types.Object, camera: bpy.types.Object, sliders: list[str], size: int
) -> np.ndarray:
    """uint8 [size, size, 3] of the proxy head's avatar with these sliders at 1, over grey."""
    from likeness.blender_addon import avatar_object, cpu_splats

    for key in proxy.data.shape_keys.key_blocks[1:]:
        key.value = float(key.name in sliders)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    view = cpu_splats.View(
        np.array(camera.evaluated_get(depsgraph).matrix_world.inverted()),
        np.array(camera.calc_matrix_camera(depsgraph, x=size, y=size)),
        size,
        size,
    )
    avatar = avatar_object.read(proxy)
    gaussians = avatar_object.evaluate(proxy, depsgraph)
    layer = cpu_splats.rasterize(gaussians, view, 20.0, avatar_object.footprint_on_head(avatar))
    color, alpha = layer.color[::-1, :, :3], layer.color[::-1, :, 3:]
    return (np.clip(color + GREY * (1 - alpha), 0, 1) * 255 + 0.5).astype(np.uint8)


if __name__ == "__main__":
    main()
