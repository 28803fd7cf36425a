"""Eyes that follow the eyeLook shape keys: driven look bones, and the same turn in NumPy.

The eyeLook keys move the lids; the eyeballs are turned by bones. A look bone for each eye is driven
by the keys, and the eye bone is its child, so that animators turn the eye on top of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np

from ..engine.api.rotations import matrix_from_rotvec
from .coordinates import TO_BLENDER

LOOK_BONES = {"eye_left": "look.L", "eye_right": "look.R"}
FULL_LOOK = math.radians(30)  # of an eyeLook key at 1 (docs/ARCHITECTURE.md)

# side -> keys that look up, down, towards the subject's left, towards the subject's right
_KEYS = {
    "eye_left": ("eyeLookUpLeft", "eyeLookDownLeft", "eyeLookOutLeft", "eyeLookInLeft"),
    "eye_right": ("eyeLookUpRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight"),
}


def look_rotations(expression: np.ndarray, names: Sequence[str], joint: str) -> np.ndarray:
    """What a look bone's drivers make of expressions [T, E]: [T, 3, 3] in Blender's axes."""
    columns = [names.index(key) if key in names else None for key in _KEYS[joint]]
    up, down, left, right = (
        np.zeros(len(expression)) if c is None else np.asarray(expression[:, c], np.float64)
        for c in columns
    )
    zero = np.zeros_like(up)
    # Head axes: +x turns the gaze down, +y to the subject's left. Pitch first, then yaw.
    pitch = matrix_from_rotvec(np.stack([FULL_LOOK * (down - up), zero, zero], -1))
    yaw = matrix_from_rotvec(np.stack([zero, FULL_LOOK * (left - right), zero], -1))
    return TO_BLENDER @ (yaw @ pitch) @ TO_BLENDER.T


def add_drivers(rig: bpy.types.Object, proxy: bpy.types.Object) -> None:
    """Drive the look bones from the proxy head's eyeLook keys, where it has them."""
    blocks = proxy.data.shape_keys.key_blocks
    for joint, name in LOOK_BONES.items():
        if not all(key in blocks for key in _KEYS[joint]):
            continue
        up, down, left, right = _KEYS[joint]
        bone = rig.pose.bones[name]
        # The bone points out of the eye with its z up, so its x points to the subject's right.
        bone.rotation_mode = "XYZ"
        _drive(bone, 0, proxy, (up, down))
        _drive(bone, 2, proxy, (left, right))


def _drive(
    bone: bpy.types.PoseBone, axis: int, proxy: bpy.types.Object, keys: tuple[str, str]
) -> None:
    driver = bone.driver_add("rotation_euler", axis).driver
    driver.type = "SCRIPTED"
    for name, key in zip(("more", "less"), keys, strict=True):
        variable = driver.variables.new()
        variable.name = name
        variable.targets[0].id_type = "KEY"
        variable.targets[0].id = proxy.data.shape_keys
        variable.targets[0].data_path = f'key_blocks["{key}"].value'
    # Simple arithmetic: Blender evaluates it without Python, so also where scripts may not run.
    driver.expression = f"(more - less) * {FULL_LOOK:.9f}"
