"""Blender opened again after it was closed in the middle of Create Avatar: it offers to go on. What
comes of it is driven by a video then."""

from __future__ import annotations

import time
from collections.abc import Iterator

import bpy
import inside

PACKAGE = "bl_ext.user_default.likeness"
PATIENCE = 1200  # seconds; the machine may be busy


def scenario() -> Iterator[float]:
    bpy.ops.preferences.addon_enable(module=PACKAGE)
    chosen = bpy.context.preferences.addons[PACKAGE].preferences
    chosen.engine_python = str(inside.FOLDER / "engine-python")
    # The engine runs outside of Blender's root: this folder is in the same place for both.
    bpy.context.preferences.filepaths.temporary_directory = str(inside.FOLDER)
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    _, area, _ = inside.viewport()
    area.spaces.active.show_region_ui = True
    yield 1.0
    next(
        region for region in area.regions if region.type == "UI"
    ).active_panel_category = "Likeness"
    yield 1.0
    inside.picture("offered")
    job = bpy.context.window_manager.likeness
    inside.facts["offered"] = bpy.ops.likeness.resume_avatar.poll()
    with inside.in_viewport():
        bpy.ops.likeness.resume_avatar("INVOKE_DEFAULT")
    began, notices, stages = time.monotonic(), [], []
    while job.running and time.monotonic() - began < PATIENCE:
        notices += [job.notice] if job.notice not in notices else []
        stages += [job.stage] if job.stage not in stages else []
        yield 0.2
    avatars = [obj for obj in bpy.data.objects if obj.likeness.payload is not None]
    inside.facts |= {
        "notices": notices,
        "stages": stages,
        "error": job.error,
        "avatars": [obj.name for obj in avatars],
        "still_offered": bpy.ops.likeness.resume_avatar.poll(),
        "seconds": time.monotonic() - began,
    }
    yield from inside.drawn()
    inside.picture("resumed")
    yield from drive(avatars[0])


def drive(proxy: bpy.types.Object) -> Iterator[float]:
    """By the very footage that the avatar is of, as another video: its own movement comes back."""
    bpy.context.view_layer.objects.active = proxy
    own, job = movement(proxy), bpy.context.window_manager.likeness
    footage = str(next(inside.FOLDER.glob("*.mp4")))
    with inside.in_viewport():
        bpy.ops.likeness.drive_from_video(filepath=footage, neutral="NONE", clamp=False)
    began = time.monotonic()
    while job.running and time.monotonic() - began < PATIENCE:
        yield 0.2
    keys = proxy.data.shape_keys
    inside.facts["driven"] = {
        "error": job.error,
        "action": keys.animation_data.action.name,
        "own": own,
        "now": movement(proxy),
    }


def movement(proxy: bpy.types.Object) -> list[list[float]]:
    """The values of all shape keys, frame by frame."""
    scene, values = bpy.context.scene, []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        values.append([key.value for key in proxy.data.shape_keys.key_blocks])
    return values
