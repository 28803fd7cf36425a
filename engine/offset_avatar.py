"""FlashAvatar's avatar while it is fitted: learned Gaussians moved by a network (eq. 6)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .api.baked import Binding
from .api.head import HeadModel
from .avatar import FittedAvatar
from .gaussians import Gaussians
from .offset_network import OffsetNetwork

OFFSET_UNITS = (0.02, 0.5, 0.7)
"""The largest offset of a mean (metres), a quat and a log scale: the paper's tanh reaches 1 in
each, which is no bound at all in metres."""


class OffsetAvatar(FittedAvatar):
    """activate(learned + F(place, code)): means, quats and log scales move, opacities and colours
    stay. Offsets are in tangent space, so that triangles carry them; the paper adds them to world
    positions, of a head that never turns."""

    units: Tensor  # [10]

    def __init__(
        self, head: HeadModel, binding: Binding, network: OffsetNetwork, scales: np.ndarray
    ) -> None:
        """`scales` [N] are the first standard deviations in metres."""
        super().__init__(head, binding, scales)
        self.network = network
        units = np.repeat(np.asarray(OFFSET_UNITS, np.float32), (3, 4, 3))
        self.register_buffer("units", torch.from_numpy(units))

    def offsets(self, at_points: Tensor) -> Tensor:
        """Raw offsets [B, N, 10] of the network's output at its points [B, P, 10]."""
        return self.network.read(at_points) * self.units

    def gaussians(self, driver: Tensor | None, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N]; the driver is the offsets [B, N, 10]."""
        batch = len(vertices)
        moved = torch.cat([self.means, self.quats, self.scales], dim=-1).expand(batch, -1, -1)
        moved = moved if driver is None else moved + driver
        means, quats, scales = moved.split((3, 4, 3), dim=-1)
        means, quats = self.surface.carry(means, quats, vertices)
        return Gaussians(
            means,
            quats,
            scales.exp(),
            self.opacities.sigmoid().expand(batch, -1),
            self.colors.expand(batch, -1, -1),
        )

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        offsets = self.offsets(self.network(code))
        # Columns 0 to 9 of the raw block are mean, quat and log scale.
        return self.raw_base() + nn.functional.pad(offsets, (0, 4))
