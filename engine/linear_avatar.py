"""Any avatar as a learned sum of blendshapes, before it is baked: what `linearisation` found, as
torch again, so that pictures can teach it (methods/settling)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .api.baked import Binding, WeightMap
from .api.head import HeadModel
from .avatar import LEAST_WEIGHT, FittedAvatar, per_column
from .gaussians import Gaussians
from .networks import GroupedWeights

UNITS = (0.0064, 0.4, 0.3, 1.0, 1.0)
"""Of a delta's mean (metres), quat, log scale, opacity logit and colour: one rate fits all."""


class LinearAvatar(FittedAvatar):
    """base + sum_k psi_k delta_k, psi = F(code); all of it learns. A blendshape stays confined to
    the Gaussians that it moved at first."""

    bakes_exactly = True
    units: Tensor  # [14]
    moved: Tensor  # [K, N, 1] bool

    def __init__(
        self,
        head: HeadModel,
        binding: Binding,
        base: Tensor,
        deltas: Tensor,
        weights: GroupedWeights,
    ) -> None:
        """`base` [N, 14] and `deltas` [K, N, 14], raw."""
        super().__init__(head, binding, np.ones(len(base), np.float32))
        self.start_from(base)
        units = per_column(UNITS)
        self.register_buffer("units", units)
        self.register_buffer("moved", deltas.cpu().ne(0).any(-1, keepdim=True))
        self.deltas = nn.Parameter(deltas.cpu() / units)
        self.deltas.register_hook(lambda gradient: gradient * self.moved)
        self.weights = weights

    def raw(self, weights: Tensor | None, batch: int) -> Tensor:
        """Raw Gaussians [B, N, 14] of weights [B, K], or of the base alone."""
        base = self.raw_base().expand(batch, -1, -1)
        if weights is None or not len(self.deltas):
            return base
        blended = (weights @ self.deltas.flatten(1)).view(base.shape)
        return base + blended * self.units

    def gaussians(self, driver: Tensor | None, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N]; the driver is the weights [B, K]."""
        return self.world(self.raw(driver, len(vertices)), vertices)

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        return self.raw(self.weights(code), len(code))

    @torch.no_grad()
    def linear(
        self, codes: Tensor, importance: np.ndarray | None = None, draft: bool = False
    ) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """Exact: the deltas take the largest weight seen, the last layer gives it up."""
        seen = self.weights(codes.to(self.device)).abs().amax(0).clamp_min(LEAST_WEIGHT)  # [K]
        deltas = self.deltas * self.units * seen[:, None, None]
        weight_map = self.weights.weight_map(seen.double().cpu().numpy())
        return self.raw_base().cpu().numpy(), deltas.cpu().numpy(), weight_map
