"""RGBAvatar (paper 000): reduced Gaussian blendshapes learned from a tracked video.

`reconstruct` is a generator: closing it cancels the fit, and every yield carries an avatar that can
be baked. What it does beyond the paper is named where it is done: blendshapes confined to parts of
the face, clamped codes, corrections of the training poses, a half-size first phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..api.head import HeadModel
from ..api.settings import RGBAvatarSettings
from ..avatar import BlendshapeAvatar
from ..binding import texel_spacing, uniform_uv_binding
from ..clip import TrackedClip
from ..device import torch_device
from ..face_parts import FaceParts, face_parts
from ..losses import composite, l1_gradient, limit_colors, limit_shapes
from ..networks import CodeStatistics, GroupedWeights
from ..progress import Report, one_stage, span, unheard
from ..rasterize import rasterize
from .checkpoints import Checkpoints, FitState
from .colour_start import finish_seconds, finish_unseen, start_colours
from .detail import detail_maps, pixel_weight
from .frame_corrections import FrameCorrections
from .learning import learn
from .optimisation import Schedule, make_optimiser, set_rates
from .pace import Pace
from .photometric import put_params
from .progress import LEARNED, STARTED, Progress, Tally
from .region_priors import RegionPriors, region_priors
from .surface_rules import SurfaceRules, surface_rules
from .training_frames import FrameQueue, FrameSlots, TrainingFrames

START_SIZE = 0.7
"""First standard deviation in units of the distance between neighbours: closed, not blurred."""
LONGEST = 4.0
"""Longest axis, in the same units."""
NEEDLE = 5.0
"""Longest axis over the middle one."""
LIMIT_EVERY = 10
RESIDUAL_WEIGHT = 0.02
OUTSIDE_WEIGHT = 0.01
"""Pulls weights back into -1..1, where their gradient lives."""
CODE_NOISE = 0.02
"""Standard deviation added to the code while fitting: tracking is no better than that."""


@dataclass(frozen=True)
class Fit:
    """Everything one step needs; none of it changes but the parameters inside."""

    settings: RGBAvatarSettings
    frames: FrameSlots
    avatar: BlendshapeAvatar
    corrections: FrameCorrections
    longest: Tensor  # [N] log metres
    priors: RegionPriors
    rules: SurfaceRules
    detail: np.ndarray  # [N] bool, Gaussians where the loss counts more: the eyes and the mouth
    details: Tensor  # [T, h, w] uint8, 255 where a pixel is of them
    generator: torch.Generator


def reconstruct(
    clip: TrackedClip,
    settings: RGBAvatarSettings,
    device: str = "auto",
    seed: int = 0,
    train_frames: np.ndarray | None = None,
    max_seconds: float | None = None,
    checkpoints: Checkpoints | None = None,
    report: Report = unheard,
) -> Iterator[Progress]:
    """Fits an avatar to the clip's `train_frames` (all by default), from the checkpoint if there is
    one. `report` hears of the start and the end, where there is no avatar to show.

    Given the same seed the CPU gives the same avatar, interrupted or not, unless `max_seconds` ends
    the fit early; the schedule then shortens so that the rates still come to rest. Raises
    FootageError when too few frames can be learned from.
    """
    pace = Pace(settings.images, max_seconds)
    chosen = np.arange(len(clip.params)) if train_frames is None else np.asarray(train_frames)
    generator = torch.Generator().manual_seed(seed)
    folder = checkpoints.folder if checkpoints else None
    read = one_stage(report, "reading frames", 0.0, STARTED / 2)
    frames = TrainingFrames(
        clip, chosen, settings.size, torch_device(device), folder, read, seconds=max_seconds
    )
    fit = start_fit(clip.head, frames, settings, generator, span(report, STARTED / 2, STARTED))
    if max_seconds is not None:
        pace.reserve = finish_seconds(fit.avatar, frames)
    modules = {"avatar": fit.avatar, "corrections": fit.corrections}
    optimiser = make_optimiser(fit.avatar, fit.corrections, settings.batch)
    state = FitState(modules, optimiser, generator, FrameQueue(len(frames), generator))
    step = partial(_learn_batch, fit)
    last = yield from learn(fit.avatar, state, settings.batch, step, pace, checkpoints)
    finish_unseen(fit.avatar, frames, fit.priors, one_stage(report, "last colours", LEARNED))
    corrected = fit.corrections.corrected(frames.params)
    params = put_params(clip.params, frames.indices, corrected)
    yield replace(last, stage="Done", params=params)


def start_fit(
    head: HeadModel,
    frames: FrameSlots,
    settings: RGBAvatarSettings,
    generator: torch.Generator,
    report: Report = unheard,
) -> Fit:
    """An avatar on `head`, coloured from the frames; nothing is learned yet."""
    device = frames.codes.device
    binding = uniform_uv_binding(head, settings.uv_size)
    parts = face_parts(head, binding, settings.blendshapes)
    priors = region_priors(head, binding)
    spacing = texel_spacing(head, binding, settings.uv_size)
    weights = GroupedWeights(
        CodeStatistics(frames.codes[: len(frames)].cpu().numpy()),
        parts.driven_by,
        parts.group_sizes,
        generator,
    )
    avatar = BlendshapeAvatar(head, binding, parts, weights, START_SIZE * spacing)
    avatar.to(device)
    first = one_stage(report, "first colours", 0.0, 0.5)
    guessed = start_colours(avatar, frames, priors, first)
    drawn = one_stage(report, "finding eyes and mouth", 0.5)
    detail = _detail(parts)
    return Fit(
        settings=settings,
        frames=frames,
        avatar=avatar,
        corrections=FrameCorrections(head, len(frames.codes)).to(device),
        longest=torch.from_numpy(np.log(LONGEST * spacing)).to(device),
        priors=priors,
        rules=surface_rules(avatar, frames, priors, guessed),
        detail=detail,
        details=detail_maps(avatar, frames, detail, tick=drawn),
        generator=generator,
    )


def _detail(parts: FaceParts) -> np.ndarray:
    """Where [N] on the head the loss counts more: what the mouth and the eyes move most."""
    return parts.support[:2].max(0) >= 1 if len(parts.support) > 1 else parts.support[0] < 0


def _learn_batch(fit: Fit, batch: Tensor, state: FitState, tally: Tally) -> str:
    """One step at the place in the schedule where the fit stands; returns the stage's name."""
    settings = fit.settings
    set_rates(state.optimiser, Schedule(state.done))
    half = state.done < settings.half_size_share
    base_only = state.images < settings.base_only_images
    train_step(fit, state.optimiser, batch, half, base_only, tally)
    hold_limits(fit, state.steps + 1)
    return "Base" if base_only else "Blendshapes"


def hold_limits(fit: Fit, steps: int) -> None:
    """After so many steps, every few of them: shapes and colours back within what they may be."""
    if steps % LIMIT_EVERY == 0:
        limit_shapes(fit.avatar.scales, fit.longest, NEEDLE)
        limit_colors(fit.avatar.colors)


def train_step(
    fit: Fit,
    optimiser: torch.optim.Adam,
    batch: Tensor,
    half: bool,
    base_only: bool,
    tally: Tally,
) -> None:
    """One batch: render over random backgrounds, compare, move every parameter once."""
    frames, avatar, settings = fit.frames, fit.avatar, fit.settings
    background = torch.rand((len(batch), 3), generator=fit.generator)
    noise = torch.randn((len(batch), frames.codes.shape[1]), generator=fit.generator)
    device = avatar.device
    batch, background = batch.to(device), background.to(device)
    codes, vertices = frames.codes[batch], frames.vertices[batch]
    if not base_only:
        codes, vertices = fit.corrections.posed(frames.params, batch)
    outside = torch.zeros((), device=device)
    weights = None
    if not base_only:
        free = avatar.weights.unclamped(codes + CODE_NOISE * noise.to(device))
        outside = (free.abs() - 1).relu().square().mean()
        weights = free.clamp(-1, 1)
    gaussians = avatar.gaussians(weights, vertices)
    image, _, _ = rasterize(gaussians, frames.cameras(len(batch), half), background)
    target = composite(frames.pictures(batch, half), background)
    weight = pixel_weight(fit.details[batch], image.shape[1:3], settings.detail_weight)
    loss, gradient, error = l1_gradient(image.detach(), target, weight)
    rules = OUTSIDE_WEIGHT * outside + _rules(fit) + fit.corrections.penalty(batch)
    optimiser.zero_grad()
    torch.autograd.backward([image, rules], [gradient, None])
    optimiser.step()
    tally.losses.append(loss)
    tally.errors.append(error)


def _rules(fit: Fit) -> Tensor:
    """Costs that need neither image nor frame."""
    residual = RESIDUAL_WEIGHT * fit.avatar.residual_penalty()
    return fit.rules.cost(fit.avatar) + residual
