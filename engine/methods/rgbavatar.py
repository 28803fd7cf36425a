"""RGBAvatar (paper 000): reduced Gaussian blendshapes learned from a tracked video.

What it does beyond the paper is named where it is done: blendshapes confined to parts of the face,
clamped codes, corrections of the training poses, a half-size first phase.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..api.head import HeadModel
from ..api.settings import RGBAvatarSettings
from ..avatar import BlendshapeAvatar
from ..binding import covering
from ..face_parts import FaceParts, face_parts
from ..losses import composite, photometric_gradient
from ..networks import CodeStatistics, GroupedWeights
from ..progress import Report, unheard
from ..rasterize import rasterize
from .checkpoints import FitState
from .detail import pixel_weight
from .fit import CODE_NOISE, LINING_ORDER, START_SIZE, Fit, begin, hold_limits
from .optimisation import Schedule, make_optimiser, set_rates
from .progress import Tally
from .reconstruction import Recipe
from .training_frames import FrameSlots

RESIDUAL_WEIGHT = 0.02
OUTSIDE_WEIGHT = 0.01
"""Pulls weights back into -1..1, where their gradient lives."""

BlendshapeFit = Fit[RGBAvatarSettings, BlendshapeAvatar]


def start_fit(
    head: HeadModel,
    frames: FrameSlots,
    settings: RGBAvatarSettings,
    generator: torch.Generator,
    report: Report = unheard,
) -> BlendshapeFit:
    """An avatar on `head`, coloured from the frames; nothing is learned yet."""
    binding, spacing = covering(head, settings.uv_size, LINING_ORDER)
    parts = face_parts(head, binding, settings.blendshapes)
    weights = GroupedWeights(
        CodeStatistics(frames.codes[: len(frames)].cpu().numpy()),
        parts.driven_by,
        parts.group_sizes,
        generator,
    )
    avatar = BlendshapeAvatar(head, binding, parts, weights, START_SIZE * spacing)
    return begin(avatar, frames, settings, spacing, _detail(parts), generator, report)


def _detail(parts: FaceParts) -> np.ndarray:
    """Where [N] on the head the loss counts more: what the mouth and the eyes move most."""
    return parts.support[:2].max(0) >= 1 if len(parts.support) > 1 else parts.support[0] < 0


def _optimiser(fit: BlendshapeFit) -> torch.optim.Adam:
    return make_optimiser(fit.avatar, fit.corrections, fit.settings.batch)


def _learn_batch(fit: BlendshapeFit, batch: Tensor, state: FitState, tally: Tally) -> str:
    """One step at the place in the schedule where the fit stands; returns the stage's name."""
    settings = fit.settings
    set_rates(state.optimiser, Schedule(state.done))
    half = state.done < settings.half_size_share
    base_only = state.images < settings.base_only_images
    train_step(fit, state.optimiser, batch, half, base_only, tally)
    hold_limits(fit, state.steps + 1)
    return "Base" if base_only else "Blendshapes"


def train_step(
    fit: BlendshapeFit,
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
    loss, gradient, error = photometric_gradient(
        image.detach(), target, weight, settings.ssim_share
    )
    rules = OUTSIDE_WEIGHT * outside + _rules(fit) + fit.corrections.penalty(batch)
    optimiser.zero_grad()
    torch.autograd.backward([image, rules], [gradient, None])
    optimiser.step()
    tally.losses.append(loss)
    tally.errors.append(error)


def _rules(fit: BlendshapeFit) -> Tensor:
    """Costs that need neither image nor frame."""
    residual = RESIDUAL_WEIGHT * fit.avatar.residual_penalty()
    return fit.rules.cost(fit.avatar) + residual


reconstruct = Recipe(start_fit, _optimiser, _learn_batch).reconstruct
