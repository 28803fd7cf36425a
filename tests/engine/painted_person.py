"""A person whose truth is known: the built-in head, painted, rendered by our own rasteriser."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from engine.api.head import HeadModel, HeadParams
from engine.avatar import drive
from engine.binding import texel_spacing, uniform_uv_binding
from engine.clip import Camera
from engine.gaussians import Cameras
from engine.heads.builtin import builtin_head
from engine.levels import places
from engine.methods.feedforward.regressed import RegressedAvatar
from engine.methods.feedforward.views import Views
from engine.rasterize import rasterize

DISTANCE = 0.9
"""Metres from the camera."""


@lru_cache(maxsize=2)
def painted_head(seed: int = 0) -> HeadModel:
    head = builtin_head()
    random = np.random.default_rng(seed)
    return head.personalised(random.normal(0, 0.5, len(head.identity_names)))


@lru_cache(maxsize=2)
def painted_avatar(seed: int = 0) -> RegressedAvatar:
    """Skin-like paint with a dark cap and a pattern that only a look at the picture tells."""
    head = painted_head(seed)
    binding = uniform_uv_binding(head, 96)
    place = places(head, binding)
    random = np.random.default_rng(seed)
    waves = np.sin(place @ random.normal(0, 60, (3, 3)) + random.uniform(0, 6, 3))
    color = np.array([0.7, 0.5, 0.4]) + 0.12 * waves
    names = [head.region_names[region] for region in head.face_regions[binding.face]]
    color[np.array(names) == "scalp"] *= 0.3
    raw = np.zeros((len(place), 14), np.float32)
    raw[:, 3] = 1
    raw[:, 7:10] = np.log(0.8 * texel_spacing(head, binding, 96))[:, None]
    raw[:, 10] = 4
    raw[:, 11:] = color
    return RegressedAvatar(head, binding, torch.from_numpy(raw))


def painted_params(count: int, seed: int = 0) -> HeadParams:
    """Turned, talking and blinking."""
    random = np.random.default_rng(seed)
    head = painted_head()
    params = HeadParams.neutral(len(head.expression_names), count)
    params.expression[:, head.expression_names.index("jawOpen")] = random.uniform(0, 0.7, count)
    params.expression[:, head.expression_names.index("eyeBlinkLeft")] = random.uniform(0, 1, count)
    params.neck[:] = random.uniform(-0.1, 0.1, (count, 3))
    params.rotation[:, 1] = np.linspace(-0.5, 0.5, count)
    params.rotation[:, 0] = random.uniform(-0.1, 0.1, count)
    params.translation[:] = [0, 0.05, -DISTANCE]
    return params


def painted_camera(size: int) -> Camera:
    focal = size * DISTANCE / 0.4
    K = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    return Camera(np.diag([1.0, -1, -1, 1]), K, size, size)


def painted_views(count: int, size: int, seed: int = 0) -> Views:
    """`count` frames of the person, with true depths."""
    avatar, camera = painted_avatar(seed), painted_camera(size)
    codes, vertices = drive(avatar.head, painted_params(count, seed))
    cameras = Cameras(
        torch.from_numpy(np.float32(camera.viewmat)).repeat(count, 1, 1),
        torch.from_numpy(np.float32(camera.K)).repeat(count, 1, 1),
        size,
        size,
    )
    with torch.no_grad():
        colors, alphas, depths = rasterize(avatar.carried(codes, vertices), cameras)
    depth = torch.where(alphas > 0.5, depths / alphas.clamp_min(0.5), 0.0)[..., 0]
    picture = torch.cat([colors.clamp(0, 1), alphas], dim=-1)
    return Views(picture, cameras, codes, vertices, depth, avatar.head)
