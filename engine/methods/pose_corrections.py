"""Small rigid corrections of the training frames' heads, learned with the Gaussians.

Landmark poses jitter by a pixel or two; averaging over that blurs the avatar. Each training frame
may move its head slightly; the mean over the frames is kept at zero, so that frames that are only
tracked, the held-out ones first of all, meet the same avatar.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..api.baked import Binding
from ..api.head import HeadModel


class PoseCorrections(nn.Module):
    """A rotation vector and a shift for each of T frames, felt where the neck carries the skin."""

    follows: Tensor  # [N, 1] 0 torso .. 1 head

    def __init__(self, frames: int, head: HeadModel, binding: Binding) -> None:
        super().__init__()
        torso = head.skin_weights[head.faces[binding.face], 0]  # [N, 3] of joint "root"
        follows = 1 - np.einsum("nk,nk->n", binding.barycentric, torso)
        self.register_buffer("follows", torch.from_numpy(np.asarray(follows, np.float32))[:, None])
        self.turns = nn.Parameter(torch.zeros(frames, 3))  # radians
        self.shifts = nn.Parameter(torch.zeros(frames, 3))  # metres

    def forward(self, means: Tensor, indices: Tensor) -> Tensor:
        """Corrected world means [B, N, 3] of the frames `indices` [B]. The turn is to first order
        and leaves the Gaussians' own axes alone: it is a fraction of a degree."""
        turn = (self.turns - self.turns.mean(0))[indices][:, None]
        shift = (self.shifts - self.shifts.mean(0))[indices][:, None]
        arm = means.detach()
        arm = arm - arm.mean(dim=1, keepdim=True)
        motion = torch.linalg.cross(turn.expand_as(arm), arm) + shift
        return means + motion * self.follows

    def penalty(self) -> Tensor:
        """Mean square correction in units of a millimetre and of the turn that moves as much."""
        return self.shifts.square().mean() * 1e6 + self.turns.square().mean() * 1e4
