"""FlashAvatar (paper 001): Gaussians evenly over the UV map, moved by an offset network.

It shares RGBAvatar's start, rules and schedule. What the presets do beyond the paper, and
`FLASHAVATAR_PAPER` undoes, is named in `FlashAvatarSettings`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..api.baked import Binding
from ..api.head import HeadModel
from ..api.settings import FlashAvatarSettings
from ..binding import covering
from ..face_parts import REGIONS, FaceParts, face_parts
from ..losses import composite
from ..networks import CodeStatistics
from ..offset_avatar import OffsetAvatar
from ..offset_network import OffsetNetwork, places
from ..progress import Report
from ..rasterize import rasterize
from .checkpoints import FitState
from .detail import pixel_weight
from .fit import CODE_NOISE, LINING_ORDER, START_SIZE, Fit, begin, hold_limits
from .flash_loss import huber_gradient, perceptual_gradient
from .optimisation import EPSILON, Schedule, set_rates
from .progress import Tally
from .reconstruction import Recipe
from .training_frames import FrameSlots

RATES = {"quats": 1e-3, "scales": 5e-3, "opacities": 0.05, "colors": 2.5e-3}
"""Those of 3D Gaussian splatting, for one image; they grow with the root of the batch."""
POSITION = 1.6e-4
RESIDUAL_WEIGHT = 0.01

OffsetFit = Fit[FlashAvatarSettings, OffsetAvatar]


def _start(
    head: HeadModel,
    frames: FrameSlots,
    settings: FlashAvatarSettings,
    generator: torch.Generator,
    report: Report,
) -> OffsetFit:
    """An avatar on `head`, coloured from the frames; nothing is learned yet."""
    binding, spacing = covering(head, settings.uv_size, LINING_ORDER)
    network = OffsetNetwork(
        CodeStatistics(frames.codes.cpu().numpy()),
        places(head, binding, _parts(head, binding, settings.confine), settings.network_uv),
        settings.width,
        settings.depth,
        generator,
    )
    avatar = OffsetAvatar(head, binding, network, START_SIZE * spacing)
    mouth = _in_mouth(head, binding)
    return begin(avatar, frames, settings, spacing, mouth, generator, report)


def _parts(head: HeadModel, binding: Binding, confine: bool) -> FaceParts:
    """Which code each Gaussian sees; not confined, it is one part that sees everything."""
    if confine:
        return face_parts(head, binding, 0)
    codes, count = len(head.code_names), len(binding.face)
    return FaceParts(np.ones((1, codes), bool), (0,), np.ones((1, count), np.float32))


def _in_mouth(head: HeadModel, binding: Binding) -> np.ndarray:
    """Gaussians [N] bool of the lips and what is between them."""
    names = [i for i, name in enumerate(head.region_names) if name in REGIONS["mouth"]]
    return np.isin(head.face_regions[binding.face], names)


def _optimiser(fit: OffsetFit) -> torch.optim.Adam:
    """Adam over everything that is learned, each group with its rate in `first`."""
    avatar, scale = fit.avatar, fit.settings.batch**0.5
    groups = [
        {"params": [getattr(avatar, name)], "first": rate * scale, "falls": "others"}
        for name, rate in RATES.items()
    ]
    if fit.settings.learn_positions:
        position = {"params": [avatar.means], "first": POSITION * scale, "falls": "position"}
        groups.append(position)
    network = list(avatar.network.parameters())
    groups.append({"params": network, "first": fit.settings.network_rate, "falls": "others"})
    if fit.settings.correct_frames:
        groups.append({**fit.corrections.learning(fit.settings.batch), "falls": "others"})
    return torch.optim.Adam(groups, lr=0.0, eps=EPSILON, fused=True)


def _learn_batch(fit: OffsetFit, batch: Tensor, state: FitState, tally: Tally) -> str:
    """One step at the place in the schedule where the fit stands; returns the stage's name."""
    set_rates(state.optimiser, Schedule(state.done))
    base_only = state.images < fit.settings.base_only_images
    state.optimiser.zero_grad()
    _backward(fit, batch, state.done, base_only, tally)
    state.optimiser.step()
    hold_limits(fit, state.steps + 1)
    return "Base" if base_only else "Offsets"


def _backward(fit: OffsetFit, batch: Tensor, done: float, base_only: bool, tally: Tally) -> None:
    """Gradients of one batch: render over random backgrounds, compare."""
    frames, avatar, settings = fit.frames, fit.avatar, fit.settings
    background = torch.rand((len(batch), 3), generator=fit.generator)
    noise = torch.randn((len(batch), frames.codes.shape[1]), generator=fit.generator)
    batch, background = batch.to(avatar.device), background.to(avatar.device)
    half = done < settings.half_size_share
    rules = fit.rules.cost(avatar)
    codes, vertices = frames.codes[batch], frames.vertices[batch]
    offsets = None
    if not base_only:
        if settings.correct_frames:
            codes, vertices = fit.corrections.posed(frames.params, batch)
            rules = rules + fit.corrections.penalty(batch)
        at_points = avatar.network(codes + CODE_NOISE * noise.to(avatar.device))
        offsets = avatar.offsets(at_points)
        rules = rules + RESIDUAL_WEIGHT * at_points.square().mean()
    gaussians = avatar.gaussians(offsets, vertices)
    image, _, _ = rasterize(gaussians, frames.cameras(len(batch), half), background)
    target = composite(frames.pictures(batch, half), background)
    weight = pixel_weight(fit.details[batch], image.shape[1:3], 1 + settings.mouth_weight)
    loss, gradient, error = huber_gradient(image.detach(), target, weight)
    if settings.perceptual_weight and done >= settings.perceptual_from:
        seen = image.detach(), target, settings.lpips_window, fit.generator
        gradient.add_(perceptual_gradient(*seen), alpha=settings.perceptual_weight)
    torch.autograd.backward([image, rules], [gradient, None])
    tally.losses.append(loss)
    tally.errors.append(error)


reconstruct = Recipe(_start, _optimiser, _learn_batch).reconstruct
