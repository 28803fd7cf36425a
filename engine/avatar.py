"""The avatar while it is fitted: torch parameters on a head. `bake` turns it into NumPy arrays.

A method defines `local(code)`, raw Gaussians in tangent space; carrying them is the same for all.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .api.baked import COLORS, MEANS, OPACITY, QUATS, SCALES, Binding, WeightMap
from .api.head import HeadModel, HeadParams
from .binding import SurfaceBinding
from .gaussians import Gaussians
from .networks import GroupedWeights

RAW = 14
"""Numbers of one raw Gaussian: mean 3, quat 4, log scale 3, opacity logit 1, colour 3."""
LEAST_WEIGHT = 1e-3
"""A blendshape never weighted more than this is not scaled up: it is unused."""


class Avatar(nn.Module):
    """Gaussians on a personalised head, moved by its expression code."""

    def __init__(self, head: HeadModel, binding: Binding) -> None:
        super().__init__()
        self.head = head
        self.binding = binding
        self.surface = SurfaceBinding(binding, head.faces)

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        raise NotImplementedError

    def carried(self, code: Tensor, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N] of codes [B, C] on posed vertices [B, V, 3]."""
        raw = self.local(code)
        means, quats = self.surface.carry(raw[..., MEANS], raw[..., QUATS], vertices)
        return Gaussians(
            means,
            nn.functional.normalize(quats, dim=-1),
            raw[..., SCALES].exp(),
            raw[..., OPACITY].sigmoid(),
            raw[..., COLORS],
        )

    def pose(self, params: HeadParams) -> Gaussians:
        """World Gaussians [B, N] of NumPy params with a leading axis B."""
        code, vertices = drive(self.head, params)
        return self.carried(code.to(self.device), vertices.to(self.device))

    def linear(self, codes: Tensor) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """This avatar as base [N, 14], deltas [K, N, 14] and a map from code to K weights, which
        stay within -1..1 for `codes` [T, C] seen in the footage."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        return self.surface.barycentric.device


def drive(head: HeadModel, params: HeadParams) -> tuple[Tensor, Tensor]:
    """Codes [B, C] and posed vertices [B, V, 3] of NumPy params, float32."""
    code = torch.from_numpy(np.asarray(head.code(params), np.float32))
    return code, torch.from_numpy(np.asarray(head.pose(params), np.float32))


class BlendshapeAvatar(Avatar):
    """base + sum_k psi_k delta_k (RGBAvatar eq. 1), psi = F(code) (eq. 2).

    Means, quats and colours are blended; scales and opacities are the base's alone, as in the
    paper's code. Each delta is confined to the part of the face that drives it.
    """

    support: Tensor  # [K, N, 1] 0..1

    def __init__(
        self,
        head: HeadModel,
        binding: Binding,
        weights: GroupedWeights,
        support: np.ndarray,
        scales: np.ndarray,
    ) -> None:
        """`support` [K, N] of the blendshapes; `scales` [N] first standard deviations, metres."""
        super().__init__(head, binding)
        n, k = len(binding.face), len(support)
        self.weights = weights
        self.register_buffer("support", torch.from_numpy(np.float32(support))[..., None])
        self.means = nn.Parameter(torch.zeros(n, 3))
        self.quats = nn.Parameter(torch.tensor([1.0, 0, 0, 0]).repeat(n, 1))
        self.scales = nn.Parameter(torch.from_numpy(np.log(scales))[:, None].repeat(1, 3))
        self.opacities = nn.Parameter(torch.zeros(n))
        self.colors = nn.Parameter(torch.zeros(n, 3))
        self.mean_deltas = nn.Parameter(torch.zeros(k, n, 3))
        self.quat_deltas = nn.Parameter(torch.zeros(k, n, 4))
        self.color_deltas = nn.Parameter(torch.zeros(k, n, 3))

    def blended(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means, quats and colours [B, N, .] in tangent space for weights [B, K]."""
        return (
            self._blend(weights, self.means, self.mean_deltas),
            self._blend(weights, self.quats, self.quat_deltas),
            self._blend(weights, self.colors, self.color_deltas),
        )

    def _blend(self, weights: Tensor, base: Tensor, deltas: Tensor) -> Tensor:
        confined = (deltas * self.support).flatten(1)
        blended = torch.addmm(base.flatten()[None], weights, confined)
        return blended.view(len(weights), *base.shape)

    def base_gaussians(self, vertices: Tensor) -> Gaussians:
        """The base alone, carried by posed vertices [B, V, 3]: what the first phase fits."""
        shape = (len(vertices), -1, -1)
        means, quats = self.surface.carry(
            self.means.expand(shape), self.quats.expand(shape), vertices
        )
        return self._with_shared(means, quats, self.colors.expand(shape))

    def gaussians(self, weights: Tensor, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N] of blendshape weights [B, K]; quats are not normalised."""
        means, quats, colors = self.blended(weights)
        means, quats = self.surface.carry(means, quats, vertices)
        return self._with_shared(means, quats, colors)

    def _with_shared(self, means: Tensor, quats: Tensor, colors: Tensor) -> Gaussians:
        batch = len(means)
        return Gaussians(
            means,
            quats,
            self.scales.exp().expand(batch, -1, -1),
            self.opacities.sigmoid().expand(batch, -1),
            colors,
        )

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        means, quats, colors = self.blended(self.weights(code))
        batch = len(code)
        return torch.cat(
            [
                means,
                quats,
                self.scales.expand(batch, -1, -1),
                self.opacities.expand(batch, -1)[..., None],
                colors,
            ],
            dim=-1,
        )

    @torch.no_grad()
    def linear(self, codes: Tensor) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """Exact: the deltas take the largest weight seen, the last layer gives it up."""
        seen = self.weights(codes.to(self.device)).abs().amax(0).clamp_min(LEAST_WEIGHT)  # [K]
        deltas = torch.zeros(*self.mean_deltas.shape[:2], RAW, device=self.device)
        scale = seen[:, None, None] * self.support
        deltas[..., MEANS] = self.mean_deltas * scale
        deltas[..., QUATS] = self.quat_deltas * scale
        deltas[..., COLORS] = self.color_deltas * scale
        base = torch.cat(
            [self.means, self.quats, self.scales, self.opacities[:, None], self.colors], dim=-1
        )
        weight_map = self.weights.weight_map(seen.double().cpu().numpy())
        return base.cpu().numpy(), deltas.cpu().numpy(), weight_map
