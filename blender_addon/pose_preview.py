"""Thumbnails of poses: the avatar itself, drawn small by the CPU rasteriser."""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.baked import BakedAvatar
from ..engine.api.head import HeadParams
from ..engine.api.rotations import matrix_from_quat, rotvec_from_matrix
from . import cpu_splats, gaze
from .avatar_object import find_rig, read
from .coordinates import vectors_to_head
from .pose import PoseData

SIZE = 96  # pixels
GREY = 0.22
_FIELD = np.radians(22)  # of view, from chin to crown with some air
_SHARPNESS = 20.0  # of a depth that nobody looks at


def draw(action: bpy.types.Action, proxy: bpy.types.Object, wanted: PoseData) -> None:
    """Give the Action a picture of the avatar in the pose."""
    avatar = read(proxy)
    params = _params(avatar, find_rig(proxy), wanted)
    gaussians = avatar.pose(params)  # all of them: coarser levels show gaps this close
    layer = cpu_splats.rasterize(gaussians, _view(avatar), _SHARPNESS)
    picture = np.ones((SIZE, SIZE, 4), np.float32)
    color, alpha = layer.color[..., :3], layer.color[..., 3:]
    picture[..., :3] = np.clip(color + GREY * (1 - alpha), 0, 1)
    preview = action.preview_ensure()
    preview.image_size = (SIZE, SIZE)
    preview.image_pixels_float.foreach_set(picture.ravel())


def _params(avatar: BakedAvatar, rig: bpy.types.Object | None, wanted: PoseData) -> HeadParams:
    """The pose where the head stands at rest."""
    names = avatar.head.expression_names
    params = HeadParams.neutral(len(names))
    for index, name in enumerate(names):
        params.expression[index] = wanted.sliders.get(name, 0.0)
    for side, joint in enumerate(("eye_left", "eye_right")):
        look = gaze.look_rotations(params.expression[None], names, joint)[0]
        params.eyes[side] = vectors_to_head(rotvec_from_matrix(look))
    for bone, target in (("neck", params.neck), ("jaw", params.jaw)):
        if rig is not None and bone in wanted.bones and bone in rig.data.bones:
            rest = np.array(rig.data.bones[bone].matrix_local)[:3, :3]
            turn = rest @ matrix_from_quat(np.array(wanted.bones[bone])) @ rest.T
            target[:] = vectors_to_head(rotvec_from_matrix(turn))
    return params


def _view(avatar: BakedAvatar) -> cpu_splats.View:
    """In front of the face, from the chin to the crown."""
    eyes = avatar.head.joint_positions[3:5].mean(axis=0)
    span = float(np.ptp(avatar.head.vertices[:, 1]))
    size = min(0.3, span)  # metres; some heads come with shoulders
    distance = size / 2 / np.tan(_FIELD / 2)
    view = np.eye(4)
    view[:3, 3] = (-eyes[0], -eyes[1] + 0.08 * size, -eyes[2] - distance)
    near, far = 0.01, 10.0
    window = np.zeros((4, 4))
    window[0, 0] = window[1, 1] = 1 / np.tan(_FIELD / 2)
    window[2, 2], window[2, 3] = -(far + near) / (far - near), -2 * far * near / (far - near)
    window[3, 2] = -1
    return cpu_splats.View(view, window, SIZE, SIZE)
