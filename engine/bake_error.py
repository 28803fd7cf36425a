"""What a bake costs: baked against un-baked renders, of the footage's frames and of sliders that it
never showed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from .api.baked import BakedAvatar, GaussianArrays
from .api.head import HeadParams
from .avatar import Avatar
from .clip import TrackedClip
from .metrics import psnr
from .pictures import slider_poses
from .progress import Tick, silent
from .render import render_arrays

SAMPLES = 16
"""Frames of the footage."""
BATCH = 4
MOST_DB = 200.0
"""Identical images have infinite PSNR, which JSON cannot hold."""


def bake_error(
    avatar: Avatar, baked: BakedAvatar, clip: TrackedClip, tick: Tick = silent
) -> dict[str, float]:
    """Baked against un-baked: the largest and the mean difference of a channel (0..1) and the mean
    PSNR in dB of frames spread over those the fit never saw, all frames if there are none; and the
    PSNR with single sliders fully on, mean and worst."""
    frames = baked.performance.test_frames
    frames = np.asarray(frames if len(frames) else np.arange(len(clip.params)))
    picked = frames[np.unique(np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int))]
    seen = list(_pairs(avatar, baked, clip, clip.params[picked], tick))
    sliders = list(_pairs(avatar, baked, clip, slider_poses(baked)[1], silent))
    differences = [np.abs(truth - image) for truth, image in seen]
    extremes = [_capped_psnr(image, truth) for truth, image in sliders]
    return {
        "max": float(max(one.max() for one in differences)),
        "mean": float(np.mean([one.mean() for one in differences])),
        "psnr": float(np.mean([_capped_psnr(image, truth) for truth, image in seen])),
        "psnr_sliders": float(np.mean(extremes)),
        "psnr_worst_slider": float(min(extremes)),
    }


def _pairs(
    avatar: Avatar, baked: BakedAvatar, clip: TrackedClip, params: HeadParams, tick: Tick
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Un-baked and baked image [H, W, 3] of each pose."""
    for start in range(0, len(params), BATCH):
        chunk = params[start : start + BATCH]
        cameras = [clip.camera] * len(chunk)
        with torch.no_grad():
            exact = GaussianArrays(*(part.cpu().numpy() for part in avatar.pose(chunk)))
        truths = render_arrays(exact, cameras, None)
        images = render_arrays(baked.pose(chunk), cameras, None)
        for (truth, _), (image, _) in zip(truths, images, strict=True):
            yield truth, image
        tick(min(1.0, (start + BATCH) / len(params)))


def _capped_psnr(image: np.ndarray, truth: np.ndarray) -> float:
    return min(psnr(image, truth), MOST_DB)
