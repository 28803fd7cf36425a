"""`bake`, the hinge: any Avatar (torch) becomes a BakedAvatar (NumPy), all that Blender knows.

Gaussians are ordered so that a level of detail is a prefix (levels), and coarser levels learn to
stand in for what they leave out (methods/level_offsets); what never shows is left out; the
difference from the un-baked avatar is measured on the clip's frames and stored (bake_error).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .api.baked import OPACITY, BakedAvatar, Binding, Performance
from .avatar import Avatar
from .bake_error import bake_error
from .clip import TrackedClip
from .levels import importance, level_order, places
from .methods.level_offsets import with_level_offsets
from .progress import Tick, parts, silent

INVISIBLE = 1 / 255
"""The rasterisers skip what is fainter, so leaving it out changes no pixel."""


def bake(
    avatar: Avatar,
    clip: TrackedClip,
    info: dict[str, Any] | None = None,
    test_frames: np.ndarray | None = None,
    draft: bool = False,
    tick: Tick = silent,
    un_baked: Avatar | None = None,
) -> BakedAvatar:
    """The avatar on the performance of its clip. `info` is stored as it is, with `bake_error`
    added; its `name` names the avatar. `test_frames` are those the fit never saw. A draft, for
    previews, is quick: one level of detail, no order, no measuring, no tick. The error is measured
    against `un_baked` where the avatar itself is a sum made of another (methods/settling)."""
    tests = np.zeros(0, np.int32) if test_frames is None else np.asarray(test_frames, np.int32)
    seen = np.setdiff1d(np.arange(len(clip.params)), tests)
    codes = torch.from_numpy(np.asarray(clip.head.code(clip.params[seen]), np.float32))
    first, second, third = parts(tick, 3)
    performance = performance_of(clip, tests)
    shows = None if draft else importance(avatar, performance, first)
    base, deltas, weight_map = avatar.linear(codes, shows, draft)
    order, levels = _order(avatar, base, shows)
    binding = avatar.binding
    baked = BakedAvatar(
        name=(info or {}).get("name", "Avatar"),
        head=avatar.head,
        binding=Binding(binding.face[order], binding.barycentric[order], binding.tangent[order]),
        base=base[order],
        deltas=deltas[:, order],
        weight_map=weight_map,
        levels=levels,
        performance=performance,
        info=dict(info or {}),
    )
    if not draft:
        baked = with_level_offsets(baked, avatar.device, second)
        baked.info["bake_error"] = bake_error(un_baked or avatar, baked, clip, third)
    return baked


def _order(
    avatar: Avatar, base: np.ndarray, shows: np.ndarray | None
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Indices of the visible Gaussians, ordered by level where their importance is known, and the
    levels."""
    visible = _visible(base)
    if shows is None:
        return visible, (len(visible),)
    order, levels = level_order(places(avatar.head, avatar.binding)[visible], shows[visible])
    return visible[order], levels


def _visible(base: np.ndarray) -> np.ndarray:
    """Indices of the Gaussians [N, 14] that can show."""
    return np.flatnonzero(base[:, OPACITY] > np.log(INVISIBLE / (1 - INVISIBLE)))


def performance_of(clip: TrackedClip, test_frames: np.ndarray) -> Performance:
    """The clip's performance and camera; `test_frames` are those a fit never sees."""
    camera = clip.camera
    return Performance(
        params=clip.params,
        times=np.asarray(clip.times),
        confidence=np.asarray(clip.confidence),
        viewmat=camera.viewmat,
        K=camera.K,
        width=camera.width,
        height=camera.height,
        fps=float(clip.fps),
        test_frames=test_frames,
    )
