"""`bake`, the hinge: any Avatar (torch) becomes a BakedAvatar (NumPy), all that Blender knows.

Gaussians are ordered by importance so that a level of detail is a prefix; what never shows is left
out; the difference from the un-baked avatar is measured on the clip's frames and stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .api.baked import OPACITY, BakedAvatar, Binding, GaussianArrays, Performance
from .avatar import Avatar, drive
from .clip import TrackedClip
from .metrics import psnr
from .rasterize import splat_weights
from .render import camera_batch, render_arrays

INVISIBLE = 1 / 255
"""The rasterisers skip what is fainter, so leaving it out changes no pixel."""
LEVELS = (1, 2, 4, 8)
SAMPLES = 16
BATCH = 4


def bake(
    avatar: Avatar,
    clip: TrackedClip,
    info: dict[str, Any] | None = None,
    test_frames: np.ndarray | None = None,
    draft: bool = False,
) -> BakedAvatar:
    """The avatar on the performance of its clip. `info` is stored as it is, with `bake_error`
    added; its `name` names the avatar. `test_frames` are those the fit never saw. A draft, for
    previews, is quick: one level of detail, no order, no measuring."""
    tests = np.zeros(0, np.int32) if test_frames is None else np.asarray(test_frames, np.int32)
    seen = np.setdiff1d(np.arange(len(clip.params)), tests)
    codes, _ = drive(clip.head, clip.params[seen])
    base, deltas, weight_map = avatar.linear(codes)
    order = _visible(base) if draft else _by_importance(avatar, clip, base)
    binding = avatar.binding
    baked = BakedAvatar(
        name=(info or {}).get("name", "Avatar"),
        head=avatar.head,
        binding=Binding(binding.face[order], binding.barycentric[order], binding.tangent[order]),
        base=base[order],
        deltas=deltas[:, order],
        weight_map=weight_map,
        levels=tuple(max(1, len(order) // part) for part in LEVELS[: 1 if draft else None]),
        performance=_performance(clip, tests),
        info=dict(info or {}),
    )
    if not draft:
        baked.info["bake_error"] = bake_error(avatar, baked, clip)
    return baked


def bake_error(avatar: Avatar, baked: BakedAvatar, clip: TrackedClip) -> dict[str, float]:
    """Baked against un-baked renders of frames spread over the clip: the largest and the mean
    difference of a channel (0..1), and PSNR in dB (capped at 200)."""
    largest, total, ratios = 0.0, [], []
    for chunk in _chunks(_spread(clip)):
        params = clip.params[chunk]
        cameras = [clip.camera] * len(chunk)
        with torch.no_grad():
            exact = GaussianArrays(*(part.cpu().numpy() for part in avatar.pose(params)))
        pairs = zip(
            render_arrays(exact, cameras, None),
            render_arrays(baked.pose(params), cameras, None),
            strict=True,
        )
        for (truth, _), (image, _) in pairs:
            difference = np.abs(truth - image)
            largest = max(largest, float(difference.max()))
            total.append(float(difference.mean()))
            ratios.append(min(psnr(image, truth), 200.0))
    return {"max": largest, "mean": float(np.mean(total)), "psnr": float(np.mean(ratios))}


def _by_importance(avatar: Avatar, clip: TrackedClip, base: np.ndarray) -> np.ndarray:
    """Indices of the visible Gaussians, those that cover most of the clip's pixels first."""
    importance = np.zeros(len(base))
    for chunk in _chunks(_spread(clip)):
        with torch.no_grad():
            gaussians = avatar.pose(clip.params[chunk])
        cameras = camera_batch([clip.camera] * len(chunk), avatar.device)
        shape = (len(chunk), clip.camera.height, clip.camera.width, 3)
        weight, _ = splat_weights(gaussians, cameras, torch.zeros(shape, device=avatar.device))
        importance += weight.sum(0).cpu().numpy()
    visible = _visible(base)
    return visible[np.argsort(-importance[visible], kind="stable")]


def _visible(base: np.ndarray) -> np.ndarray:
    """Indices of the Gaussians [N, 14] that can show."""
    return np.flatnonzero(base[:, OPACITY] > np.log(INVISIBLE / (1 - INVISIBLE)))


def _performance(clip: TrackedClip, test_frames: np.ndarray) -> Performance:
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


def _spread(clip: TrackedClip) -> np.ndarray:
    return np.unique(np.linspace(0, len(clip.params) - 1, SAMPLES).round().astype(int))


def _chunks(indices: np.ndarray) -> list[np.ndarray]:
    return [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
