"""Avatars as a regression starts them, held as a file would hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from engine.api.baked import BakedAvatar, Performance
from engine.api.head import HeadParams
from engine.avatar import Avatar, drive
from engine.gaussians import Cameras
from engine.heads.builtin import builtin_head
from engine.methods.feedforward.views import Views
from engine.methods.regression.start import plain_start
from engine.people.studio import look_at

SIZE = 96


def plain(uv_size: int = 48) -> BakedAvatar:
    """The built-in head in Gaussians."""
    avatar = plain_start(builtin_head(), uv_size)
    params = HeadParams.neutral(len(avatar.head.expression_names), 1)
    return baked(avatar, params, any_view(avatar.head, params))


def baked(avatar: Avatar, params: HeadParams, views: Views) -> BakedAvatar:
    """A K = 0 avatar as a file would hold it."""
    base, deltas, weight_map = avatar.linear(views.codes)
    camera = views.cameras
    shot = Performance(
        params=params,
        times=np.arange(len(params)) / 25,
        confidence=np.ones(len(params), np.float32),
        viewmat=camera.viewmats[0].numpy(),
        K=camera.Ks[0].numpy(),
        width=camera.width,
        height=camera.height,
        fps=25.0,
    )
    levels = (len(base),)
    return BakedAvatar(
        "Eve", avatar.head, avatar.binding, base, deltas, weight_map, levels, shot, {}
    )


def any_view(head: Any, params: HeadParams) -> Views:
    """One view of a head from the front, showing nothing yet."""
    codes, vertices = drive(head, params)
    viewmat = look_at(np.array([0, 0, 0.8]), np.zeros(3)).astype(np.float32)
    K = np.array([[1.6 * SIZE, 0, SIZE / 2], [0, 1.6 * SIZE, SIZE / 2], [0, 0, 1]], np.float32)
    cameras = Cameras(torch.from_numpy(viewmat)[None], torch.from_numpy(K)[None], SIZE, SIZE)
    return Views(torch.zeros(1, SIZE, SIZE, 4), cameras, codes, vertices, None, head)
