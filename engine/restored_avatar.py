"""A baked avatar as torch again: its learned Gaussians can be fitted further, its blendshapes stay.

The prefix of a level, or what pruning leaves, has to stand in for what is gone; a short fit of the
rest teaches it to.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .api.baked import BakedAvatar, Binding, WeightMap
from .avatar import FittedAvatar
from .gaussians import Gaussians


class RestoredAvatar(FittedAvatar):
    """base + sum_k psi_k delta_k of a file: the base learns, deltas and weight map do not."""

    bakes_exactly = True
    deltas: Tensor  # [K, N, 14]

    def __init__(self, baked: BakedAvatar) -> None:
        super().__init__(baked.head, baked.binding, np.ones(baked.count, np.float32))
        base = torch.from_numpy(np.array(baked.base, np.float32))
        self.start_from(base)
        self.register_buffer("deltas", torch.from_numpy(np.array(baked.deltas, np.float32)))
        self.weight_map = baked.weight_map

    def weights(self, codes: Tensor) -> Tensor:
        """Blendshape weights [B, K] of codes [B, C], without a gradient: the map is NumPy's."""
        weights = self.weight_map(codes.detach().cpu().numpy())
        return torch.from_numpy(weights[:, : len(self.deltas)]).to(self.device)

    def gaussians(self, driver: Tensor | None, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N]; the driver is the weights [B, K]."""
        raw = self.raw_base().expand(len(vertices), -1, -1)
        if driver is not None and len(self.deltas):
            raw = raw + (driver @ self.deltas.flatten(1)).view(raw.shape)
        return self.world(raw, vertices)

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        moved = (self.weights(code) @ self.deltas.flatten(1)).view(len(code), -1, 14)
        return self.raw_base() + moved

    @torch.no_grad()
    def linear(
        self, codes: Tensor, importance: np.ndarray | None = None, draft: bool = False
    ) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """Itself, exact."""
        return self.raw_base().cpu().numpy(), self.deltas.cpu().numpy(), self.weight_map


def taken(baked: BakedAvatar, order: np.ndarray, levels: tuple[int, ...]) -> BakedAvatar:
    """The Gaussians `order` of an avatar, in that order, with these levels of detail."""
    binding = baked.binding
    return replace(
        baked,
        binding=Binding(binding.face[order], binding.barycentric[order], binding.tangent[order]),
        base=baked.base[order],
        deltas=baked.deltas[:, order],
        levels=levels,
        info=dict(baked.info),
        level_offsets=(),
    )
