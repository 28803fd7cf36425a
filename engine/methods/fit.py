"""A fit at its start: an avatar on its head, coloured from the frames, and all that its steps need.

It does not know how a method learns; `begin` and the limits are the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..avatar import FittedAvatar
from ..losses import limit_colors, limit_shapes
from ..progress import Report, one_stage
from .colour_start import start_colours
from .detail import detail_maps
from .frame_corrections import FrameCorrections
from .region_priors import RegionPriors, region_priors
from .surface_rules import SurfaceRules, surface_rules
from .training_frames import FrameSlots

START_SIZE = 0.7
"""First standard deviation in units of the distance between neighbours: closed, not blurred."""
LONGEST = 4.0
"""Longest axis, in the same units."""
NEEDLE = 5.0
"""Longest axis over the middle one."""
LINING_ORDER = 3
"""Six Gaussians on each triangle of the mouth's lining: it is dark, and need only be closed."""
LIMIT_EVERY = 10
CODE_NOISE = 0.02
"""Standard deviation added to the code while fitting: tracking is no better than that."""

Settings = TypeVar("Settings")
Fitted = TypeVar("Fitted", bound=FittedAvatar)


@dataclass(frozen=True)
class Fit(Generic[Settings, Fitted]):
    """Everything one step needs; none of it changes but the parameters inside."""

    settings: Settings
    frames: FrameSlots
    avatar: Fitted
    corrections: FrameCorrections
    longest: Tensor  # [N] log metres
    priors: RegionPriors
    rules: SurfaceRules
    detail: np.ndarray  # [N] bool, Gaussians where the loss counts more
    details: Tensor  # [T, h, w] uint8, 255 where a pixel is of them
    generator: torch.Generator


def begin(
    avatar: Fitted,
    frames: FrameSlots,
    settings: Settings,
    spacing: np.ndarray,
    detail: np.ndarray,
    generator: torch.Generator,
    report: Report,
) -> Fit[Settings, Fitted]:
    """The fit of an avatar that has learned nothing yet: it gets its first colours. `spacing` [N]
    is the distance between neighbours in metres, `detail` [N] bool where the loss counts more."""
    avatar.to(frames.codes.device)
    priors = region_priors(avatar.head, avatar.binding)
    guessed = start_colours(avatar, frames, priors, one_stage(report, "first colours", 0.0, 0.5))
    drawn = one_stage(report, "finding eyes and mouth", 0.5)
    return Fit(
        settings=settings,
        frames=frames,
        avatar=avatar,
        corrections=FrameCorrections(avatar.head, len(frames.codes)).to(avatar.device),
        longest=torch.from_numpy(np.log(LONGEST * spacing)).to(avatar.device),
        priors=priors,
        rules=surface_rules(avatar, frames, priors, guessed),
        detail=detail,
        details=detail_maps(avatar, frames, detail, tick=drawn),
        generator=generator,
    )


def hold_limits(fit: Fit[Settings, Fitted], steps: int) -> None:
    """After so many steps, every few of them: shapes and colours back within what they may be."""
    if steps % LIMIT_EVERY == 0:
        limit_shapes(fit.avatar.scales, fit.longest, NEEDLE)
        limit_colors(fit.avatar.colors)
