"""Whether this process may touch the GPU. Without a driver Blender crashes instead of saying so."""

from __future__ import annotations

import functools
import logging
import subprocess
import sys

import bpy

_TIMEOUT_SECONDS = 60
# Workbench draws with the GPU in every version; gpu.init exists in 5.2 only.
_PROBE = """
import os, bpy
scene = bpy.context.scene
scene.render.engine = "BLENDER_WORKBENCH"
scene.render.resolution_x = scene.render.resolution_y = 8
scene.render.use_compositing = False
bpy.ops.render.render()
os._exit(0)
"""
log = logging.getLogger(__name__)


@functools.cache
def gpu_available() -> bool:
    """True in a window. In background mode a child process tries once (1 to 3 seconds)."""
    if not bpy.app.background:
        return True
    if bpy.app.binary_path:
        command = [bpy.app.binary_path, "--background", "--factory-startup", "--python-expr"]
    else:  # the bpy wheel
        command = [sys.executable, "-c"]
    try:
        run = subprocess.run([*command, _PROBE], capture_output=True, timeout=_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("The GPU could not be tried out: %s", error)
        return False
    return run.returncode == 0
