"""An avatar that a network regressed: raw Gaussians with a gradient, and no blendshapes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...api.baked import Binding, WeightMap
from ...api.head import HeadModel
from ...avatar import Avatar


class RegressedAvatar(Avatar):
    """Gaussians that only the head's triangles move (K = 0)."""

    def __init__(self, head: HeadModel, binding: Binding, raw: Tensor) -> None:
        """`raw` [N, 14] in tangent space, on the device of the network."""
        super().__init__(head, binding)
        self.surface.to(raw.device)
        self.raw = raw

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        return self.raw.expand(len(code), -1, -1)

    @torch.no_grad()
    def linear(
        self, codes: Tensor, importance: np.ndarray | None = None, draft: bool = False
    ) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """Exact: nothing is blended."""
        base = self.raw.detach().float().cpu().numpy()
        return base, np.zeros((0, *base.shape), np.float32), WeightMap(())
