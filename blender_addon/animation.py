"""The tracked performance as an Action with two slots: the proxy head's shape keys and the rig.

The head moves about its median place in the footage, which becomes the rig's origin.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.baked import Performance
from ..engine.api.head import HeadParams
from ..engine.api.rotations import quat_from_matrix
from . import actions, gaze
from .actions import BoneChannels
from .avatar_object import BONES, find_rig, read
from .coordinates import rotations_to_blender, vectors_to_blender

FIRST_FRAME = 1


def reference_place(performance: Performance) -> np.ndarray:
    """Median place [3] of the head in the footage's world; the rig's origin stands there."""
    return np.median(np.asarray(performance.params.translation, np.float64), axis=0)


def bone_channels(
    rig: bpy.types.Object, names: tuple[str, ...], params: HeadParams
) -> dict[str, BoneChannels]:
    """Bone keyframes for T poses (leading axis), so that the rig poses as `HeadModel.pose` does."""
    turns = {
        "root": rotations_to_blender(np.asarray(params.rotation, np.float64)),
        "neck": rotations_to_blender(np.asarray(params.neck, np.float64)),
        "jaw": rotations_to_blender(np.asarray(params.jaw, np.float64)),
    }
    for side, joint in enumerate(("eye_left", "eye_right")):
        wanted = rotations_to_blender(np.asarray(params.eyes, np.float64)[:, side])
        # The look bone already turns with the keys; the eye bone adds what is missing.
        looked = gaze.look_rotations(np.asarray(params.expression), names, joint)
        turns[joint] = looked.swapaxes(-1, -2) @ wanted
    channels = {}
    for joint, turn in turns.items():
        rest = np.array(rig.data.bones[BONES[joint]].matrix_local, np.float64)
        location = None
        if joint == "root":
            # The root turns about the origin of head space, the bone about its own head.
            carried = turn @ rest[:3, 3] + vectors_to_blender(params.translation)
            location = (carried - rest[:3, 3]) @ rest[:3, :3]
        basis = rest[:3, :3].T @ turn @ rest[:3, :3]
        channels[BONES[joint]] = BoneChannels(location, steady_signs(quat_from_matrix(basis)))
    return channels


def set_pose(proxy: bpy.types.Object, params: HeadParams) -> None:
    """Pose keys and bones as one HeadParams (no leading axis), in the rig's space."""
    rig, names = find_rig(proxy), read(proxy).head.expression_names
    one = HeadParams(*(np.asarray(getattr(params, f))[None] for f in params.__dataclass_fields__))
    blocks = proxy.data.shape_keys.key_blocks
    for name, value in zip(names, one.expression[0].tolist(), strict=True):
        blocks[name].value = value
    for name, channels in bone_channels(rig, names, one).items():
        bone = rig.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = channels.quats[0].tolist()
        if channels.location is not None:
            bone.location = channels.location[0].tolist()


def add_performance(scene: bpy.types.Scene, proxy: bpy.types.Object) -> bpy.types.Action | None:
    """Give the avatar its tracked performance as an Action. None where the file has none.

    Frames in which tracking lost the head get no keyframe: the neighbours are bridged.
    """
    avatar = read(proxy)
    performance = avatar.performance
    kept = np.flatnonzero(np.asarray(performance.confidence) > 0)
    if not len(kept):
        return None
    params = performance.params[kept]
    place = np.asarray(params.translation, np.float64) - reference_place(performance)
    params = HeadParams(
        params.expression, params.neck, params.jaw, params.eyes, params.rotation, place
    )
    rate = scene.render.fps / scene.render.fps_base
    frames = FIRST_FRAME + np.asarray(performance.times)[kept] * rate
    action = write(proxy, f"{avatar.name} Performance", params, frames)
    actions.assign(proxy, action)
    proxy.likeness.action = action
    return action


def write(
    proxy: bpy.types.Object, name: str, params: HeadParams, frames: np.ndarray, part: str = "ALL"
) -> bpy.types.Action:
    """A new Action of T poses at `frames` [T]; `part` FACE or HEAD leaves the other out."""
    names = read(proxy).head.expression_names
    values = np.asarray(params.expression).T
    shapes = dict(zip(names, values, strict=True)) if part != "HEAD" else {}
    bones = bone_channels(find_rig(proxy), names, params) if part != "FACE" else {}
    return actions.write(name, proxy, frames, shapes, bones)


def steady_signs(quats: np.ndarray) -> np.ndarray:
    """The same rotations [T, 4] with neighbours in one hemisphere, so that curves do not jump."""
    turns = np.einsum("tk,tk->t", quats[1:], quats[:-1]) < 0
    signs = np.where(np.cumsum(turns) % 2, -1.0, 1.0)
    return np.concatenate([quats[:1], quats[1:] * signs[:, None]])


def use_performance(
    scene: bpy.types.Scene, proxy: bpy.types.Object, part: str = "ALL"
) -> bpy.types.Action | None:
    """Make the performance the active Action of FACE, HEAD or ALL: the one there is, or anew."""
    action = proxy.likeness.action
    if action is None:
        return add_performance(scene, proxy)
    actions.assign(proxy, action, part)
    return action


def refresh_performance(scene: bpy.types.Scene, proxy: bpy.types.Object) -> None:
    """Where the performance is the active Action, record it again from the avatar's payload."""
    if not plays_performance(proxy):
        return
    old = proxy.likeness.action
    name = old.name
    new = add_performance(scene, proxy)
    bpy.data.actions.remove(old)
    if new is not None:
        new.name = name


def plays_performance(proxy: bpy.types.Object) -> bool:
    """Whether the performance is the active Action of the avatar's keys or rig."""
    action = proxy.likeness.action
    return action is not None and any(
        owner.animation_data is not None and owner.animation_data.action == action
        for owner in actions.animated(proxy)
    )


def layer_performance(proxy: bpy.types.Object) -> None:
    """Move the performance to an NLA track, so that the active Action is free for new keyframes."""
    action = proxy.likeness.action
    for owner in actions.animated(proxy):
        data = owner.animation_data
        if data is None or data.action != action:
            continue
        slot = data.action_slot
        data.action = None
        track = data.nla_tracks.new()
        track.name = action.name
        strip = track.strips.new(action.name, FIRST_FRAME, action)
        strip.action_slot = slot
        # The strip was measured before it had a slot, that is, without any keyframes.
        strip.action_frame_start, strip.action_frame_end = action.frame_range
        strip.frame_start, strip.frame_end = action.frame_range
        strip.extrapolation = "HOLD"


def clear_performance(proxy: bpy.types.Object) -> None:
    """Take the performance off the avatar; its Action stays with the avatar."""
    for owner in actions.animated(proxy):
        data = owner.animation_data
        if data is not None and data.action == proxy.likeness.action:
            data.action = None
