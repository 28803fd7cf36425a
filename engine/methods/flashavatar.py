"""FlashAvatar (paper 001): Gaussians evenly over the UV map, moved by an offset network.

`reconstruct` has RGBAvatar's interface and shares its start, its rules and its schedule. What the
presets do beyond the paper, and `FLASHAVATAR_PAPER` undoes, is named in `FlashAvatarSettings`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..api.baked import Binding
from ..api.head import HeadModel
from ..api.settings import FlashAvatarSettings
from ..binding import texel_spacing, uniform_uv_binding
from ..clip import TrackedClip
from ..device import torch_device
from ..face_parts import REGIONS, FaceParts, face_parts
from ..losses import composite, limit_shapes, offset_penalty
from ..networks import CodeStatistics
from ..offset_avatar import OffsetAvatar
from ..offset_network import OffsetNetwork, places
from ..progress import Report, one_stage, span, unheard
from ..rasterize import rasterize
from .checkpoints import Checkpoints, FitState
from .colour_start import finish_seconds, finish_unseen, start_colours
from .detail import detail_maps, pixel_weight
from .flash_loss import huber_gradient, perceptual_loss, window
from .frame_corrections import FrameCorrections
from .learning import learn
from .optimisation import EPSILON, Schedule, set_rates
from .pace import Pace
from .photometric import put_params
from .progress import LEARNED, STARTED, Progress, Tally
from .region_priors import RegionPriors, region_priors
from .training_frames import FrameQueue, TrainingFrames

RATES = {"quats": 1e-3, "scales": 5e-3, "opacities": 0.05, "colors": 2.5e-3}
"""Those of 3D Gaussian splatting, for one image; they grow with the root of the batch."""
POSITION = 1.6e-4
START_SIZE, LONGEST, NEEDLE = 0.7, 4.0, 5.0
"""First standard deviation and longest axis in units of the distance between neighbours; longest
axis over the middle one (as for RGBAvatar)."""
LIMIT_EVERY = 10
POSITION_WEIGHT, RESIDUAL_WEIGHT = 0.1, 0.01
CODE_NOISE = 0.02
"""Standard deviation added to the code while fitting: tracking is no better than that."""


@dataclass(frozen=True)
class _Fit:
    """Everything one step needs; none of it changes but the parameters inside."""

    settings: FlashAvatarSettings
    frames: TrainingFrames
    avatar: OffsetAvatar
    corrections: FrameCorrections
    longest: Tensor  # [N] log metres
    priors: RegionPriors
    offset_limit: Tensor  # [N] metres
    mouths: Tensor  # [T, h, w] uint8, 255 where a pixel is of the mouth
    generator: torch.Generator


def reconstruct(
    clip: TrackedClip,
    settings: FlashAvatarSettings,
    device: str = "auto",
    seed: int = 0,
    train_frames: np.ndarray | None = None,
    max_seconds: float | None = None,
    checkpoints: Checkpoints | None = None,
    report: Report = unheard,
) -> Iterator[Progress]:
    """Fits an avatar to the clip's `train_frames`, in every other way as `rgbavatar.reconstruct`.

    Raises FootageError when too few frames can be learned from.
    """
    pace = Pace(settings.images, max_seconds)
    chosen = np.arange(len(clip.params)) if train_frames is None else np.asarray(train_frames)
    generator = torch.Generator().manual_seed(seed)
    folder = checkpoints.folder if checkpoints else None
    read = one_stage(report, "reading frames", 0.0, STARTED / 2)
    frames = TrainingFrames(
        clip, chosen, settings.size, torch_device(device), folder, read, seconds=max_seconds
    )
    fit = _start(clip.head, frames, settings, generator, span(report, STARTED / 2, STARTED))
    if max_seconds is not None:
        pace.reserve = finish_seconds(fit.avatar, frames)
    queue = FrameQueue(len(frames), generator)
    modules = {"avatar": fit.avatar, "corrections": fit.corrections}
    state = FitState(modules, _optimiser(fit), generator, queue)
    step = partial(_learn_batch, fit)
    last = yield from learn(fit.avatar, state, settings.batch, step, pace, checkpoints)
    finish_unseen(fit.avatar, frames, fit.priors, one_stage(report, "last colours", LEARNED))
    corrected = fit.corrections.corrected(frames.params)
    params = put_params(clip.params, frames.indices, corrected)
    yield replace(last, stage="Done", params=params)


def _start(
    head: HeadModel,
    frames: TrainingFrames,
    settings: FlashAvatarSettings,
    generator: torch.Generator,
    report: Report,
) -> _Fit:
    """An avatar on `head`, coloured from the frames; nothing is learned yet."""
    device = frames.codes.device
    binding = uniform_uv_binding(head, settings.uv_size)
    priors = region_priors(head, binding)
    spacing = texel_spacing(head, binding, settings.uv_size)
    network = OffsetNetwork(
        CodeStatistics(frames.codes.cpu().numpy()),
        places(head, binding, _parts(head, binding, settings.confine), settings.network_uv),
        settings.width,
        settings.depth,
        generator,
    )
    avatar = OffsetAvatar(head, binding, network, START_SIZE * spacing).to(device)
    start_colours(avatar, frames, priors, one_stage(report, "first colours", 0.0, 0.5))
    drawn = one_stage(report, "finding the mouth", 0.5)
    return _Fit(
        settings=settings,
        frames=frames,
        avatar=avatar,
        corrections=FrameCorrections(head, len(frames)).to(device),
        longest=torch.from_numpy(np.log(LONGEST * spacing)).to(device),
        priors=priors,
        offset_limit=torch.from_numpy(priors.offset_limit).to(device),
        mouths=detail_maps(avatar, frames, _in_mouth(head, binding), tick=drawn),
        generator=generator,
    )


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


def _optimiser(fit: _Fit) -> torch.optim.Adam:
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


def _learn_batch(fit: _Fit, batch: Tensor, state: FitState, tally: Tally) -> str:
    """One step at the place in the schedule where the fit stands; returns the stage's name."""
    set_rates(state.optimiser, Schedule(state.done))
    base_only = state.images < fit.settings.base_only_images
    state.optimiser.zero_grad()
    _backward(fit, batch, state.done, base_only, tally)
    state.optimiser.step()
    if (state.steps + 1) % LIMIT_EVERY == 0:
        limit_shapes(fit.avatar.scales, fit.longest, NEEDLE)
    return "Base" if base_only else "Offsets"


def _backward(fit: _Fit, batch: Tensor, done: float, base_only: bool, tally: Tally) -> None:
    """Gradients of one batch: render over random backgrounds, compare."""
    frames, avatar, settings = fit.frames, fit.avatar, fit.settings
    background = torch.rand((len(batch), 3), generator=fit.generator)
    noise = torch.randn((len(batch), frames.codes.shape[1]), generator=fit.generator)
    batch, background = batch.to(avatar.device), background.to(avatar.device)
    half = done < settings.half_size_share
    rules = POSITION_WEIGHT * offset_penalty(avatar.means, fit.offset_limit)
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
    weight = pixel_weight(fit.mouths[batch], image.shape[1:3], 1 + settings.mouth_weight)
    loss, gradient, error = huber_gradient(image.detach(), target, weight)
    if settings.perceptual_weight and done >= settings.perceptual_from:
        rows, columns = window(image.shape[1], settings.perceptual_window, fit.generator)
        seen = perceptual_loss(image[:, rows, columns], target[:, rows, columns])
        rules = rules + settings.perceptual_weight * settings.perceptual_window**2 * seen
    torch.autograd.backward([image, rules], [gradient, None])
    tally.losses.append(loss)
    tally.errors.append(error)
