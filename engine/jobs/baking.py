"""The baking job: an avatar's file made smaller. What shows least is left out, the rest is fitted a
little more where the footage is at hand, and the levels of detail are thinned out anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.avatar_file import read_avatar, write_avatar
from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.requests import BakeRequest
from ..device import check_device, torch_device
from ..progress import ProgressEvents, Report, Tick, one_stage, span

if TYPE_CHECKING:
    from ..api.baked import BakedAvatar
    from ..clip import TrackedClip

MOST = 0.95
"""Share of the Gaussians that may be left out."""
SUFFIX = ".likeness"
COUNTED, FITTED, ORDERED, TAUGHT = 0.1, 0.6, 0.7, 0.85


def bake(request: BakeRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Prune, fit, order, measure, write. Raises LikenessError, also Cancelled."""
    started = time.monotonic()
    _check(request)
    report = ProgressEvents(emit)
    report("Reading the avatar", 0.0)
    baked = read_avatar(request.avatar)
    clip = _clip(request, baked)
    small = _pruned(baked, request.prune, span(report, 0, COUNTED))
    if clip:
        small = _refined(small, clip, request, span(report, COUNTED, FITTED))
    small = _pruned(small, 0.0, span(report, FITTED, ORDERED))
    small = _levelled(small, request, one_stage(report, "Teaching the levels", ORDERED, TAUGHT))
    small.info["pruned"] = round(request.prune, 4)
    metrics = _metrics(baked, small, clip, span(report, TAUGHT, 1)) if clip else {}
    write_avatar(request.output, small)
    return {
        "path": request.output,
        "gaussians": small.count,
        "levels": list(small.levels),
        "metrics": metrics,
        "seconds": round(time.monotonic() - started, 1),
    }


def _check(request: BakeRequest) -> None:
    if not 0 <= request.prune <= MOST:
        raise LikenessError(f"{request.prune} cannot be pruned.", f"Give a share of 0 to {MOST}.")
    if Path(request.output).suffix != SUFFIX:
        raise LikenessError(f"{request.output} is no avatar's file name.", f"End it in {SUFFIX}.")
    if not Path(request.output).absolute().parent.is_dir():
        raise LikenessError(f"There is no folder for {request.output}.", "Make it first.")
    if request.clip and request.images < 1:
        raise LikenessError(f"{request.images} images teach nothing.", "Give some hundreds.")
    check_device(request.device)


def _clip(request: BakeRequest, baked: BakedAvatar) -> TrackedClip | None:
    """The clip that the avatar was made from. Raises LikenessError when it is another."""
    if not request.clip:
        return None
    from ..clip import TrackedClip

    clip = TrackedClip.load(request.clip)
    if len(clip) != len(baked.performance.times):
        raise LikenessError(
            f"{request.clip} has {len(clip)} frames, the avatar's footage "
            f"{len(baked.performance.times)}.",
            "Give the tracked clip that the avatar was made from.",
        )
    return clip


def _pruned(baked: BakedAvatar, share: float, report: Report) -> BakedAvatar:
    """All but a share of the Gaussians, ordered by level of detail."""
    from ..levels import importance, level_order, places
    from ..restored_avatar import RestoredAvatar, taken

    counting = one_stage(report, "Counting what shows")
    shows = importance(RestoredAvatar(baked), baked.performance, counting)
    kept = np.argsort(-shows, kind="stable")[: max(1, round(baked.count * (1 - share)))]
    order, levels = level_order(places(baked.head, baked.binding)[kept], shows[kept])
    return taken(baked, kept[order], levels)


def _levelled(baked: BakedAvatar, request: BakeRequest, tick: Tick) -> BakedAvatar:
    """Coarser levels of detail stand in for what they leave out."""
    from ..methods.level_offsets import with_level_offsets

    return with_level_offsets(baked, torch_device(request.device), tick)


def _refined(
    baked: BakedAvatar, clip: TrackedClip, request: BakeRequest, report: Report
) -> BakedAvatar:
    from ..methods.refining import refine
    from ..restored_avatar import RestoredAvatar

    avatar = RestoredAvatar(baked)
    clip = replace(clip, params=baked.performance.params)
    train = np.setdiff1d(np.arange(len(clip)), baked.performance.test_frames)
    device = torch_device(request.device)
    refine(avatar, clip, train, request.images, device, one_stage(report, "Fitting the rest"))
    return replace(baked, base=avatar.raw_base().detach().cpu().numpy())


def _metrics(
    before: BakedAvatar, after: BakedAvatar, clip: TrackedClip, report: Report
) -> dict[str, float]:
    """PSNR and SSIM of the held-out frames of both avatars."""
    from ..metrics import evaluate

    tests = before.performance.test_frames
    if not len(tests):
        return {}
    clip = replace(clip, params=before.performance.params)
    found: dict[str, float] = {}
    for index, (name, baked) in enumerate((("", after), ("_before", before))):
        measuring = one_stage(report, "Measuring on held-out frames", index / 2, (index + 1) / 2)
        scores = evaluate(baked, clip, tests, measuring)
        found |= {key + name: round(float(scores[key]), 4) for key in ("psnr", "ssim")}
    return found
