"""Blender opened again after it was closed in the middle of Create Avatar: it offers to go on."""

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
