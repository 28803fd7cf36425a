"""The rig's handles: rings outside the head, where its Gaussians do not cover them."""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.head import JOINTS
from .avatar_object import BONES

_NAME = "Likeness Ring"
_EYE_DISTANCE = 0.0624  # metres between the eyes for which the sizes below are meant
# Bone -> distance of its ring along the bone and the ring's radius, metres.
_RINGS = {
    "root": (-0.2, 0.24),
    "neck": (-0.07, 0.09),
    "jaw": (0.12, 0.02),
    "eye_left": (0.08, 0.012),
    "eye_right": (0.08, 0.012),
}


def add_rings(rig: bpy.types.Object, joint_positions: np.ndarray) -> None:
    """Give every bone that users turn a ring to grab. `joint_positions` [J, 3] of the head."""
    eyes = joint_positions[[JOINTS.index("eye_left"), JOINTS.index("eye_right")]]
    size = float(np.linalg.norm(eyes[0] - eyes[1])) / _EYE_DISTANCE or 1.0
    ring = _ring()
    for joint, (along, radius) in _RINGS.items():
        bone = rig.pose.bones[BONES[joint]]
        bone.custom_shape = ring
        bone.use_custom_shape_bone_size = False
        bone.custom_shape_translation = (0.0, along * size, 0.0)
        bone.custom_shape_scale_xyz = (radius * size,) * 3


def _ring() -> bpy.types.Object:
    """A circle of radius 1 about the y axis; one for all rigs of the file, in no scene."""
    ring = bpy.data.objects.get((_NAME, None))
    if ring is None:
        turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        points = np.stack([np.cos(turn), np.zeros_like(turn), np.sin(turn)], -1)
        mesh = bpy.data.meshes.new(_NAME)
        mesh.from_pydata(points, [(i, (i + 1) % 32) for i in range(32)], [])
        ring = bpy.data.objects.new(_NAME, mesh)
    return ring


def remove_unused() -> None:
    """Delete the ring when no rig of the file shows it any more."""
    ring = bpy.data.objects.get((_NAME, None))
    if ring is not None and ring.users == 0:
        bpy.data.meshes.remove(ring.data)
