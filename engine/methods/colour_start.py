"""First colours straight from the footage (RGBAvatar eq. 3): no gradient descent, one pass.

A Gaussian's colour is the mean of the pixels it covers, weighted by how much it covers them. What
no frame shows borrows from the nearest seen surface, its mirror image included, so that a side
never filmed is skin and hair rather than a hole.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from ..avatar import FittedAvatar
from ..gaussians import Cameras, Gaussians
from ..progress import Tick, silent
from ..rasterize import splat_weights
from .region_priors import RegionPriors
from .training_frames import FrameSlots

SAMPLES = 24
MANY_SAMPLES = 96
"""For rare sights: closed lids, teeth."""
SEEN = 0.1
"""Sum of blend weights over the samples from which a Gaussian counts as seen (the code's 0.1)."""
HARDLY = 2.0
"""The same sum, at 256 x 256, at which a fitted colour is as good as that of its surroundings."""
SLANTED = 1.0
"""Sum of blend weights times squared cosines, at 256 x 256, at which a colour seen at a slant is as
good as that of its surroundings: along a silhouette it is mixed with what lies behind."""
TRUSTED = 0.8
"""Share of its own colour from which a Gaussian lends it to others."""
FEW = 50
"""Fewer seen Gaussians of a region than this say less about its colour than its tint does."""
OPEN = 0.5
"""Share of what would be seen without lips before it from which what lies behind them is seen,
rather than let through."""
SOLID_LOGIT = 2.0
"""Opacity logit of the mouth's inside as far as no frame shows it."""
BATCH = 4
BORROW_FROM = 4
FAR = 0.03
"""Metres to the nearest seen surface beyond which nothing is borrowed: inside, behind, below."""
HIDDEN_LOGIT = -9.0
"""Opacity logit of what is never seen and too far to borrow: under one level of 255."""


class Shown(NamedTuple):
    """What sample frames show of each Gaussian, sums over pixels of its blend weight."""

    total: Tensor  # [N] of the weight
    matte: Tensor  # [N] of weight x matte
    colour: Tensor  # [N, 3] of weight x matte x pixel
    facing: Tensor  # [N] of weight x squared cosine between surface normal and line of sight


def shown(
    avatar: FittedAvatar, frames: FrameSlots, inside: np.ndarray, tick: Tick = silent
) -> Shown:
    """What frames spread over the clip show of the base Gaussians, at half size; `inside` [N] bool
    are those behind the lips."""
    none = torch.zeros_like(avatar.opacities)
    sums = Shown(none, none.clone(), torch.zeros_like(avatar.colors), none.clone())
    chunks = _sampled(frames, SAMPLES)
    for number, chunk in enumerate(chunks, 1):
        with torch.no_grad():
            gaussians = avatar.gaussians(None, frames.vertices[chunk])
        image = frames.pictures(chunk, half=True).float() / 255
        cameras = frames.cameras(len(chunk), half=True)
        weight, colour = splat_weights(gaussians, cameras, image[..., :3])
        _, matte = splat_weights(gaussians, cameras, image[..., 3:].expand(-1, -1, -1, 3))
        clear = _clear(gaussians, cameras, weight, inside)
        weight = weight * clear
        sums.total.add_(weight.sum(0))
        sums.matte.add_((matte[..., 0] * clear).sum(0))
        sums.colour.add_((colour * clear[..., None]).sum(0))
        sums.facing.add_((weight * _facing(avatar, frames.vertices[chunk])).sum(0))
        tick(number / len(chunks))
    return sums


def _clear(gaussians: Gaussians, cameras: Cameras, weight: Tensor, inside: np.ndarray) -> Tensor:
    """1 where [B, N] a frame shows a Gaussian, 0 where closed lips only let it through: large ones
    behind them gather a little of every pixel, and would take on the colour of lips and chin.
    `weight` [B, N] is what the frames show with the lips before it."""
    clear = torch.ones_like(weight)
    if inside.any():
        mine = torch.from_numpy(np.flatnonzero(inside)).to(weight.device)
        bare = Gaussians(*(values[:, mine] for values in gaussians))
        nothing = torch.zeros((len(weight), cameras.height, cameras.width, 3), device=weight.device)
        alone, _ = splat_weights(bare, cameras, nothing)
        clear[:, mine] = (weight[:, mine] > OPEN * alone).to(weight.dtype)
    return clear


def _facing(avatar: FittedAvatar, vertices: Tensor) -> Tensor:
    """Squared cosines [B, N] between the surface and the line of sight, 0 where it turns away. The
    camera stands at the world's origin."""
    frame, _, origin = avatar.surface.frames(vertices)
    sight = torch.nn.functional.normalize(origin, dim=-1)
    return -(frame[..., 2] * sight).sum(-1).clamp_max(0).abs().square()


@torch.no_grad()
def start_colours(
    avatar: FittedAvatar, frames: FrameSlots, priors: RegionPriors, tick: Tick = silent
) -> Tensor:
    """Sets the base colours, and opacities by how often a Gaussian falls inside the matte. Returns
    how much of each colour is guessed, [N] 0..1, where a round part of the head turns away or lies
    behind the lips."""
    sums = shown(avatar, frames, priors.inside, tick)
    share = (sums.matte / sums.total.clamp_min(1e-6)).clamp(0.05, 0.95)
    avatar.colors.copy_(sums.colour / sums.matte.clamp_min(1e-6)[:, None])
    avatar.opacities.copy_(torch.where(sums.total > SEEN, share, 0.5).logit())
    distance = _borrow(avatar, (sums.matte > SEEN).cpu().numpy(), priors)
    avatar.opacities[torch.from_numpy(distance > FAR).to(avatar.device)] = HIDDEN_LOGIT
    rounded = torch.from_numpy(priors.round).to(avatar.device)
    area = (frames.height / 2 / 256) ** 2
    trust = torch.where(rounded, sums.facing / (sums.facing + SLANTED * area), 1.0)
    behind = torch.from_numpy(priors.inside).to(avatar.device)
    trust = torch.where(behind, sums.total / (sums.total + HARDLY * area), trust)
    _draw_to_surroundings(avatar, trust, trust > TRUSTED, priors)
    return 1 - trust


@torch.no_grad()
def finish_unseen(
    avatar: FittedAvatar, frames: FrameSlots, priors: RegionPriors, tick: Tick = silent
) -> None:
    """Gives what frames never showed the fitted colours of its surroundings, and draws what they
    hardly showed towards them: its own colour is as good as chance from any other side."""
    area = frames.height / 2 / 256
    total = torch.zeros_like(avatar.opacities)
    chunks = _sampled(frames, MANY_SAMPLES)
    for number, chunk in enumerate(chunks, 1):
        total += _covered(avatar, frames, chunk, priors.inside)
        tick(number / len(chunks))
    doubt = HARDLY * area**2
    trust = total / (total + doubt)
    _draw_to_surroundings(avatar, trust, total > 5 * doubt, priors)
    behind = torch.from_numpy(priors.inside).to(avatar.device)
    solid = avatar.opacities + (1 - trust) * (SOLID_LOGIT - avatar.opacities).clamp_min(0)
    avatar.opacities.copy_(torch.where(behind, solid, avatar.opacities))


def _draw_to_surroundings(
    avatar: FittedAvatar, trust: Tensor, lends: Tensor, priors: RegionPriors
) -> None:
    """Leaves each Gaussian the share `trust` [N] of its colour; the rest comes from those nearby
    that lend theirs, `lends` [N] bool."""
    own = avatar.colors.clone()
    _borrow(avatar, lends.cpu().numpy(), priors)
    avatar.colors.copy_(avatar.colors + trust[:, None] * (own - avatar.colors))


@torch.no_grad()
def finish_seconds(avatar: FittedAvatar, frames: FrameSlots, priors: RegionPriors) -> float:
    """How long `finish_unseen` will take: one of its batches, timed."""
    chunks = _sampled(frames, MANY_SAMPLES)
    started = time.monotonic()
    float(_covered(avatar, frames, chunks[0], priors.inside).sum())
    return (time.monotonic() - started) * len(chunks)


def _covered(avatar: FittedAvatar, frames: FrameSlots, chunk: Tensor, inside: np.ndarray) -> Tensor:
    """Sums [N] over frames [B] of the blend weight of each base Gaussian, at half size."""
    gaussians = avatar.gaussians(None, frames.vertices[chunk])
    # Weights do not depend on what is weighed; the pictures' own values are not needed.
    nothing = torch.zeros(
        (len(chunk), frames.height // 2, frames.width // 2, 3), device=avatar.device
    )
    cameras = frames.cameras(len(chunk), half=True)
    weight, _ = splat_weights(gaussians, cameras, nothing)
    return (weight * _clear(gaussians, cameras, weight, inside)).sum(0)


def _sampled(frames: FrameSlots, count: int) -> list[Tensor]:
    """Frame numbers spread over the clip, in batches."""
    picked = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    return list(torch.from_numpy(picked).to(frames.vertices.device).split(BATCH))


def _borrow(avatar: FittedAvatar, seen: np.ndarray, priors: RegionPriors) -> np.ndarray:
    """Fills the colours of unseen Gaussians from seen ones nearby, or mirrored and nearby, of the
    same kind, or with the tint of their region. Returns how far [N] metres each had to reach: 0
    for those seen or tinted."""
    corners = avatar.head.vertices[avatar.head.faces[avatar.binding.face]]
    place = np.einsum("nk,nkc->nc", avatar.binding.barycentric, corners)
    colours = avatar.colors.cpu().numpy().copy()
    reached = np.zeros(len(seen))
    for kind in np.unique(priors.kind[~seen]):
        lenders = np.flatnonzero(seen & (priors.kind == kind))
        borrowers = np.flatnonzero(~seen & (priors.kind == kind))
        tinted = not np.isnan(priors.tint[borrowers[0]]).any()
        if tinted and len(lenders) < FEW:
            colours[borrowers] = priors.tint[borrowers]
        elif len(lenders):
            distance, colours[borrowers] = _nearby(place, colours, lenders, borrowers)
            reached[borrowers] = 0 if tinted else distance
    avatar.colors.copy_(torch.from_numpy(colours))
    return reached


def _nearby(
    place: np.ndarray, colours: np.ndarray, lenders: np.ndarray, borrowers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances [n] to the nearest lender and colours [n, 3] mixed from the nearest few."""
    sources = np.concatenate([place[lenders], place[lenders] * [-1, 1, 1]])
    near = min(BORROW_FROM, len(sources))
    distance, index = cKDTree(sources).query(place[borrowers], k=near)
    distance, index = distance.reshape(-1, near), index.reshape(-1, near) % len(lenders)
    share = 1 / (distance + 1e-4)
    share /= share.sum(1, keepdims=True)
    return distance[:, 0], np.einsum("nk,nkc->nc", share, colours[lenders][index])
