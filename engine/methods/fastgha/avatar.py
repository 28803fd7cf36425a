"""FastGHA's avatar: regressed Gaussians moved and coloured by the deformation network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...api.baked import Binding, WeightMap
from ...api.head import HeadModel
from ...linearisation import linearise
from ..feedforward.regressed import RegressedAvatar
from .deformation import Deformation


class DeformedAvatar(RegressedAvatar):
    """canonical + D(canonical, code) (paper 003 eq. 4); bakes by SVD."""

    def __init__(
        self,
        head: HeadModel,
        binding: Binding,
        raw: Tensor,
        features: Tensor,
        deformation: Deformation,
    ) -> None:
        """`raw` [N, 14] in tangent space, `features` [N, .]."""
        super().__init__(head, binding, raw)
        self.deformation = deformation
        rest = torch.from_numpy(np.array(head.vertices, np.float32)).to(raw.device)[None]
        places, _ = self.surface.carry(raw[:, :3], raw[:, 3:7], rest)
        self.prepared = deformation.prepared(features, places[0])

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        means, colors = self.deformation(self.prepared, code)
        still = self.raw.new_zeros(*means.shape[:2], 8)  # quat 4, log scale 3, opacity 1
        return self.raw + torch.cat([means, still, colors], dim=-1).float()

    @torch.no_grad()
    def linear(
        self, codes: Tensor, importance: np.ndarray | None = None, draft: bool = False
    ) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """Blendshapes of sampled codes, by SVD."""
        return linearise(self, codes, importance, draft)
