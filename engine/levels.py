"""Levels of detail: an order of the Gaussians of which every prefix is a fair, even picture.

Importance alone keeps the densest places whole and leaves holes elsewhere. So each level is a
sample of the one above it, drawn evenly along a curve that fills the space, a Gaussian's chance
growing with its importance: what never shows goes first, then every neighbour of a neighbour.
"""

from __future__ import annotations

import numpy as np
import torch

from .api.baked import Binding, Performance
from .api.head import HeadModel
from .avatar import Avatar
from .clip import Camera
from .progress import Tick, silent
from .rasterize import splat_weights
from .render import camera_batch, cameras_around

SAMPLES = 16
"""Frames, spread over the footage, in which the Gaussians' pixels are counted."""
BATCH = 4
SHARES = (1, 2, 4, 8)
"""A level has the Nth part of the Gaussians."""
EVENNESS = 0.5
"""Power of the importance in the chance to stay: 0 is even everywhere, 1 in proportion."""
CURVE_BITS = 10
"""Cells along each axis of the curve: 2^10 over the head, fractions of a millimetre."""


def importance(avatar: Avatar, shot: Performance, tick: Tick = silent) -> np.ndarray:
    """Sums of each Gaussian's blend weights [N] over the pixels of frames of the performance, half
    of them seen from beside: what shows only there, as ears do, may not be thinned to holes."""
    frames = np.unique(np.linspace(0, len(shot.times) - 1, SAMPLES).round().astype(int))
    total = np.zeros(len(avatar.binding.face))
    camera = Camera(shot.viewmat, shot.K, shot.width, shot.height)
    around = cameras_around(camera, avatar.head.pose(shot.params[frames]).mean(1))
    for start in range(0, len(frames), BATCH):
        chunk = frames[start : start + BATCH]
        with torch.no_grad():
            gaussians = avatar.pose(shot.params[chunk])
        cameras = camera_batch(around[start : start + BATCH], avatar.device)
        shape = (len(chunk), camera.height, camera.width, 3)
        weight, _ = splat_weights(gaussians, cameras, torch.zeros(shape, device=avatar.device))
        total += weight.sum(0).cpu().numpy()
        tick(min(1.0, (start + BATCH) / len(frames)))
    return total


def places(head: HeadModel, binding: Binding) -> np.ndarray:
    """Where Gaussians are bound on the neutral head [N, 3], metres."""
    corners = head.vertices[head.faces[binding.face]]
    return np.einsum("nk,nkc->nc", binding.barycentric, corners)


def level_order(places: np.ndarray, importance: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Indices [N] of Gaussians at places [N, 3] (metres) such that every level is a prefix, and
    the levels' counts, descending. Within a level the important come first."""
    total = len(places)
    counts = sorted({max(1, total // share) for share in SHARES}, reverse=True)
    chance = np.maximum(importance, 1e-30 * importance.max(initial=0) + 1e-60) ** EVENNESS
    kept = np.argsort(_along_curve(places), kind="stable")
    bands = []
    for count in counts[1:]:
        stays = _even_sample(chance[kept], count)
        bands.append(kept[~stays])
        kept = kept[stays]
    ordered = [band[np.argsort(-importance[band], kind="stable")] for band in (*bands, kept)]
    return np.concatenate(ordered[::-1]), tuple(counts)


def _even_sample(chance: np.ndarray, count: int) -> np.ndarray:
    """Which [n] of a row stay, exactly `count`: systematic sampling, each with a probability in
    proportion to its chance, at most one."""
    share = np.zeros(len(chance))
    certain = np.zeros(len(chance), bool)
    while True:
        free = count - certain.sum()
        share = np.where(certain, 1.0, chance * free / max(chance[~certain].sum(), 1e-300))
        over = (share > 1) & ~certain
        if not over.any():
            break
        certain |= over
    reached = np.cumsum(share)
    steps = np.floor(reached * (count / reached[-1]) - 0.5 + 1e-9)
    return np.diff(steps, prepend=-1.0) > 0


def _along_curve(places: np.ndarray) -> np.ndarray:
    """Place [N] of points [N, 3] along a Morton curve."""
    low, high = places.min(0), places.max(0)
    cells = (places - low) / max(float((high - low).max()), 1e-12) * (2**CURVE_BITS - 1)
    code = np.zeros(len(places), np.int64)
    for bit in range(CURVE_BITS):
        for axis in range(3):
            code |= ((cells[:, axis].astype(np.int64) >> bit) & 1) << (3 * bit + axis)
    return code
