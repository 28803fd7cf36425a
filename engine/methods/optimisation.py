"""RGBAvatar's optimiser: one Adam, a learning rate per attribute, all proportional to the batch.

Rates are those of the paper's code for a batch of 10 (facts A.1), per image of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..avatar import BlendshapeAvatar
from .frame_corrections import FrameCorrections

PAPER_BATCH = 10
POSITION_FIRST, POSITION_LAST = 8e-4, 8e-6
RATES = {"quats": 5e-3, "scales": 2.5e-2, "opacities": 0.25, "colors": 1.25e-2}
DELTAS = 6.25e-3
"""In the units of `avatar.DELTA_UNITS`: half the colours' rate."""
NETWORK = 1e-3
EPSILON = 3e-8
"""About the gradient of a tenth of a pixel. The code's 1e-15 lets Adam move what is as good as
hidden at full speed, at random: it shows as coloured specks from the side."""
LAST_SHARE = 0.1
"""Every other rate ends at this share of its start: the paper keeps them, a shorter fit gains."""
STEADY = 0.5
"""Share of the fit after which they begin to fall."""


@dataclass(frozen=True)
class Schedule:
    """Where a fit stands, from 0 to 1."""

    done: float
    positions_fall_from: float = 0.0
    """Share of the fit before which positions keep their first rate."""
    others_fall_from: float = STEADY
    """The same of every other rate."""

    @property
    def position(self) -> float:
        """Position rate relative to its start, falling exponentially."""
        falling = max(0.0, self.done - self.positions_fall_from) / (1 - self.positions_fall_from)
        return (POSITION_LAST / POSITION_FIRST) ** falling

    @property
    def others(self) -> float:
        falling = max(0.0, self.done - self.others_fall_from) / (1 - self.others_fall_from)
        return LAST_SHARE**falling


def make_optimiser(
    avatar: BlendshapeAvatar, corrections: FrameCorrections, batch: int
) -> torch.optim.Adam:
    """Adam over everything that is learned, each group with its rate in `first`."""
    scale = batch / PAPER_BATCH
    groups = [
        {"params": [getattr(avatar, name)], "first": rate * scale, "falls": "others"}
        for name, rate in RATES.items()
    ]
    deltas = list(avatar.parts.parameters())
    groups.append({"params": deltas, "first": DELTAS * scale, "falls": "others"})
    position = POSITION_FIRST * scale
    groups.append({"params": [avatar.means], "first": position, "falls": "position"})
    network = list(avatar.weights.parameters())
    groups.append({"params": network, "first": NETWORK, "falls": "others"})
    groups.append({**corrections.learning(batch), "falls": "others"})
    return torch.optim.Adam(groups, lr=0.0, eps=EPSILON, fused=True)


def set_rates(optimiser: torch.optim.Adam, schedule: Schedule) -> None:
    """The learning rates of this moment."""
    for group in optimiser.param_groups:
        group["lr"] = group["first"] * getattr(schedule, group["falls"])
