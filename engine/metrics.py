"""Image metrics by the papers' protocol: full frame, black background, the footage composited with
its own matte, mean of per-frame values (facts A.1, "Evaluation")."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .api.baked import BakedAvatar
from .api.errors import LikenessError
from .losses import ssim as ssim_batch
from .perception import perceptual_network
from .progress import Tick, silent
from .render import render_performance

if TYPE_CHECKING:
    from .clip import TrackedClip, TrackedFrame

MOST_TEST_FRAMES = 350
"""The papers hold out the last 350 frames."""


def held_out(frames: int, test: str = "15%") -> np.ndarray:
    """Indices of the last frames, never trained on: a count "40" or a share "15%", at most 350."""
    try:
        share = float(test.rstrip("%"))
        count = frames * share / 100 if test.endswith("%") else share
    except ValueError:
        raise LikenessError(
            f"'{test}' is no number of test frames.", "Give a count (40) or a share (15%)."
        ) from None
    count = min(int(count), MOST_TEST_FRAMES)
    if count < 0 or count > frames - 2:
        raise LikenessError(
            f"{count} test frames leave too few of {frames} to learn from.",
            "Hold out fewer frames.",
        )
    return np.arange(frames - count, frames, dtype=np.int32)


def held_out_of_each(takes: Sequence[range], test: str = "15%") -> np.ndarray:
    """The last frames of every take, so that each one's own light and framing is measured.

    A count is shared among the takes by their lengths. A take of two frames or fewer, as one of
    several photographs, is all learned from.
    """
    total = sum(len(take) for take in takes)
    count = len(held_out(total, test))
    return np.concatenate(
        [
            np.arange(take.stop - round(count * len(take) / total), take.stop, dtype=np.int32)
            for take in takes
        ]
    )


def psnr(image: np.ndarray, target: np.ndarray) -> float:
    """Peak signal to noise ratio in dB of two images in 0..1."""
    error = float(np.mean((np.float64(image) - np.float64(target)) ** 2))
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(image: np.ndarray, target: np.ndarray) -> float:
    """Structural similarity of two images [H, W, 3] in 0..1 (see losses.ssim)."""
    pair = [torch.from_numpy(np.asarray(one, np.float32))[None] for one in (image, target)]
    with torch.no_grad():
        return float(ssim_batch(pair[0], pair[1])[0])


def on_black(frame: TrackedFrame) -> np.ndarray:
    """A tracked frame's image [H, W, 3] in 0..1, composited over black with its own matte."""
    alpha = frame.alpha[..., None].astype(np.float32) / 255
    return frame.image.astype(np.float32) / 255 * alpha


def evaluate(
    baked: BakedAvatar,
    clip: TrackedClip,
    frames: np.ndarray,
    tick: Tick = silent,
    count: int | None = None,
) -> dict[str, Any]:
    """Mean PSNR (dB) and SSIM of the frames, with every frame's own value for the report. `count`
    is a level of detail.

    LPIPS is left out where its weights are not installed; nothing is downloaded.
    """
    frames = np.asarray(frames)
    if not len(frames):
        return {"frames": 0}
    renders = render_performance(baked, clip.params[frames], clip.camera, count=count)
    lpips = _lpips()
    rows: dict[str, list[float]] = {"psnr": [], "ssim": []}
    if lpips:
        rows["lpips"] = []
    for number, (index, (rgb, _)) in enumerate(zip(frames, renders, strict=True), 1):
        image, target = np.clip(rgb, 0, 1), on_black(clip.frame(int(index)))
        rows["psnr"].append(psnr(image, target))
        rows["ssim"].append(ssim(image, target))
        if lpips:
            rows["lpips"].append(lpips(image, target))
        tick(number / len(frames))
    means = {name: float(np.mean(values)) for name, values in rows.items()}
    return {**means, "frames": len(frames), "per_frame": rows}


def _lpips() -> Callable[[np.ndarray, np.ndarray], float] | None:
    """LPIPS-VGG on -1..1 as RGBAvatar reports it, when its package and VGG weights are here."""
    network = perceptual_network(torch.device("cpu"))
    if network is None:
        return None

    def distance(image: np.ndarray, target: np.ndarray) -> float:
        pair = [
            torch.from_numpy(np.asarray(one, np.float32)).movedim(-1, 0)[None]
            for one in (image, target)
        ]
        with torch.no_grad():
            return float(network(pair[0] * 2 - 1, pair[1] * 2 - 1))

    return distance
