"""What a running fit reports."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..api.head import HeadParams
from ..avatar import Avatar

STARTED, LEARNED = 0.05, 0.97
"""How far on a fit's progress bar its start reaches, and its steps; the rest is its end."""


@dataclass(frozen=True)
class Progress:
    """One report of a fit. Between two reports `avatar` is not touched: bake or draw it freely."""

    stage: str  # for people, e.g. "Blendshapes"
    step: int  # training images seen so far
    total: int  # training images in all; an estimate where the time is limited
    loss: float  # mean of the batches since the last report
    psnr: float  # dB on the training images since the last report, random backgrounds
    avatar: Avatar
    params: HeadParams | None = None  # of the whole clip, NumPy, as the fit corrected them


@dataclass
class Tally:
    """Loss and squared error since the last report."""

    losses: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def take(self) -> tuple[float, float]:
        """Mean loss and PSNR in dB, zeros when nothing was added; empties the tally."""
        if not self.losses:
            return 0.0, 0.0
        loss, error = float(np.mean(self.losses)), float(np.mean(self.errors))
        self.losses.clear()
        self.errors.clear()
        return loss, -10 * float(np.log10(max(error, 1e-12)))
