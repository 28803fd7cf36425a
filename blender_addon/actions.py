"""Slotted Actions of an avatar: one Action with a slot for the shape keys and one for the rig.

The face and the head's motion are apart, so either can be replaced. It knows F-curves (4.5 to 5.x),
not what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import bpy
import numpy as np

from .avatar_object import find_rig

KINDS = {"FACE": "KEY", "HEAD": "OBJECT"}  # part of an avatar's motion -> type of its slot
_INTERPOLATIONS = {"CONSTANT": 0, "LINEAR": 1, "BEZIER": 2}  # Keyframe.interpolation as numbers


class BoneChannels(NamedTuple):
    """Keyframes of one bone, in the bone's own axes."""

    location: np.ndarray | None  # [T, 3] metres; only the root moves
    quats: np.ndarray  # [T, 4] w, x, y, z, without flips of sign


def write(
    name: str,
    proxy: bpy.types.Object,
    frames: np.ndarray,
    shapes: Mapping[str, np.ndarray],
    bones: Mapping[str, BoneChannels],
    interpolation: str = "LINEAR",
) -> bpy.types.Action:
    """A new Action with keyframes at `frames` [T]: shape key values [T] and bone channels.

    A slot is made only for what is given. It is not yet anybody's active Action.
    """
    action = bpy.data.actions.new(name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    if shapes:
        slot = action.slots.new(id_type="KEY", name=proxy.name)
        curves = strip.channelbag(slot, ensure=True).fcurves
        for key, values in shapes.items():
            _add_curve(curves, shape_path(key), 0, frames, values, interpolation)
    rig = find_rig(proxy)
    if bones and rig is not None:
        slot = action.slots.new(id_type="OBJECT", name=rig.name)
        curves = strip.channelbag(slot, ensure=True).fcurves
        for bone, channels in bones.items():
            for path, axis, values in _bone_curves(bone, channels):
                _add_curve(curves, path, axis, frames, values, interpolation)
    return action


def shape_path(key: str) -> str:
    """F-curve path of a shape key's slider."""
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


def bone_path(bone: str, channel: str) -> str:
    """F-curve path of a pose bone's channel."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{channel}'


def animated(proxy: bpy.types.Object, part: str = "ALL") -> list[bpy.types.ID]:
    """What Actions of an avatar animate: shape keys (FACE), rig (HEAD), or both (ALL)."""
    owners = {"FACE": proxy.data.shape_keys, "HEAD": find_rig(proxy)}
    return [o for name, o in owners.items() if o is not None and part in {"ALL", name}]


def assign(proxy: bpy.types.Object, action: bpy.types.Action, part: str = "ALL") -> None:
    """Make the Action the active one of the face, the head or both, where it has a slot for it."""
    for owner in animated(proxy, part):
        slot = slot_of(action, owner)
        if slot is None:
            continue
        data = owner.animation_data_create()
        data.action = action
        data.action_slot = slot
    rig = find_rig(proxy) if part != "FACE" else None
    for curve in curves_of(action, "OBJECT") if rig is not None else ():
        bone = _quaternion_bone(curve.data_path)
        if bone in rig.pose.bones:
            rig.pose.bones[bone].rotation_mode = "QUATERNION"


def slot_of(action: bpy.types.Action, owner: bpy.types.ID) -> bpy.types.ActionSlot | None:
    """The slot for a datablock's kind; an avatar's Action has one for each kind at most."""
    kind = "KEY" if isinstance(owner, bpy.types.Key) else "OBJECT"
    return next((slot for slot in action.slots if slot.target_id_type == kind), None)


def curves_of(action: bpy.types.Action, kind: str) -> Iterator[bpy.types.FCurve]:
    """F-curves of the Action's slots of a type, KEY or OBJECT."""
    handles = {slot.handle for slot in action.slots if slot.target_id_type == kind}
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                if bag.slot_handle in handles:
                    yield from bag.fcurves


def ensure(proxy: bpy.types.Object) -> bpy.types.Action:
    """The one Action that the avatar's new keyframes go to, made where there is none."""
    for owner in animated(proxy):
        data = owner.animation_data
        if data is not None and data.action is not None:
            action = data.action
            break
    else:
        action = bpy.data.actions.new(f"{proxy.name} Action")
        action.layers.new("Layer").strips.new(type="KEYFRAME")
    for owner in animated(proxy):
        data = owner.animation_data_create()
        if data.action is not None:
            continue
        kind = "KEY" if isinstance(owner, bpy.types.Key) else "OBJECT"
        slot = slot_of(action, owner) or action.slots.new(id_type=kind, name=owner.name)
        data.action = action
        data.action_slot = slot
    return action


def mark_asset(action: bpy.types.Action, description: str, tags: Iterable[str]) -> None:
    """Show the Action in the Asset Browser."""
    action.asset_mark()
    action.asset_data.description = description
    action.asset_data.author = "Likeness"
    for tag in ("Likeness", *tags):
        action.asset_data.tags.new(tag, skip_if_exists=True)


def _bone_curves(bone: str, channels: BoneChannels) -> Iterator[tuple[str, int, np.ndarray]]:
    for axis in range(4):
        yield bone_path(bone, "rotation_quaternion"), axis, channels.quats[:, axis]
    if channels.location is not None:
        for axis in range(3):
            yield bone_path(bone, "location"), axis, channels.location[:, axis]


def _quaternion_bone(path: str) -> str:
    """The bone that a rotation curve turns, or ''."""
    begin, _, end = path.rpartition('"].')
    return begin.removeprefix('pose.bones["') if end == "rotation_quaternion" else ""


def _add_curve(
    curves: bpy.types.ActionChannelbagFCurves,
    path: str,
    axis: int,
    frames: np.ndarray,
    values: np.ndarray,
    interpolation: str,
) -> None:
    curve = curves.new(path, index=axis)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.column_stack([frames, values]).ravel())
    points.foreach_set("interpolation", [_INTERPOLATIONS[interpolation]] * len(frames))
    if interpolation == "BEZIER":
        for point in points:
            point.handle_left_type = point.handle_right_type = "AUTO_CLAMPED"
    curve.update()
