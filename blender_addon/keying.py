"""Keyframes of an avatar's pose, by region: on its one Action with slots for face and rig."""

from __future__ import annotations

import bpy

from . import actions, pose


def insert(proxy: bpy.types.Object, region: str, frame: float) -> int:
    """Keyframe the sliders and bones of a region. Returns how many were keyed."""
    actions.ensure(proxy)
    keys, bones = pose.keys_in(proxy, region), pose.bones_in(proxy, region)
    for key in keys:
        key.keyframe_insert("value", frame=frame)
    for bone in bones:
        bone.keyframe_insert(_rotation_channel(bone), frame=frame)
    return len(keys) + len(bones)


def delete(proxy: bpy.types.Object, region: str, frame: float) -> int:
    """Delete the keyframes of a region at a frame. Returns how many channels had one."""
    deleted = 0
    for key in pose.keys_in(proxy, region):
        deleted += _delete(key, "value", frame)
    for bone in pose.bones_in(proxy, region):
        deleted += _delete(bone, _rotation_channel(bone), frame)
    return deleted


def insert_if_recording(context: bpy.types.Context, proxy: bpy.types.Object, region: str) -> None:
    """What Auto Keying does for a slider moved by hand, for tools that move many."""
    if context.scene.tool_settings.use_keyframe_insert_auto:
        insert(proxy, region, context.scene.frame_current)


def _rotation_channel(bone: bpy.types.PoseBone) -> str:
    modes = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    return modes.get(bone.rotation_mode, "rotation_euler")


def _delete(owner: bpy.types.bpy_struct, channel: str, frame: float) -> bool:
    animation = owner.id_data.animation_data
    if animation is None or animation.action is None:
        return False
    try:
        return owner.keyframe_delete(channel, frame=frame)
    except RuntimeError:  # no such curve
        return False
