"""The avatar while it is fitted: torch parameters on a head. `bake` turns it into NumPy arrays.

A method defines `local(code)`, raw Gaussians in tangent space; carrying them is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .api.baked import COLORS, MEANS, OPACITY, QUATS, SCALES, Binding, WeightMap
from .api.head import HeadModel, HeadParams
from .binding import SurfaceBinding
from .face_parts import FaceParts
from .gaussians import Gaussians
from .linearisation import linearise
from .networks import GroupedWeights

RAW_SIZES = (3, 4, 3, 1, 3)
"""Numbers of one raw Gaussian: mean, quat, log scale, opacity logit, colour."""
RAW = sum(RAW_SIZES)
BLENDED = 10
"""Those that blendshapes move: mean 3, quat 4, colour 3."""
DELTA_UNITS = (0.0064, 0.4, 1.0)
"""Units of a delta's mean (metres), quat and colour. One learning rate in these units is the
paper's three: 0.05 of the position's, 0.5 of the rotation's, 0.5 of the colour's (facts A.1)."""
LEAST_WEIGHT = 1e-3
"""A blendshape never weighted more than this is not scaled up: it is unused."""


class Avatar(nn.Module):
    """Gaussians on a personalised head, moved by its expression code."""

    bakes_exactly = False
    """Whether it is a sum of blendshapes, so that `linear` loses nothing."""

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
        gaussians = self.world(self.local(code), vertices)
        return gaussians._replace(quats=nn.functional.normalize(gaussians.quats, dim=-1))

    def world(self, raw: Tensor, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N] of raw tangent-space ones [B, N, 14] on posed vertices [B, V, 3],
        quats not normalised."""
        means, quats, scales, opacities, colors = raw.split(
            (*RAW_SIZES[:4], raw.shape[-1] - COLORS.start), -1
        )
        means, quats = self.surface.carry(means, quats, vertices)
        return Gaussians(means, quats, scales.exp(), opacities[..., 0].sigmoid(), colors)

    def pose(self, params: HeadParams) -> Gaussians:
        """World Gaussians [B, N] of NumPy params with a leading axis B."""
        code, vertices = drive(self.head, params)
        return self.carried(code.to(self.device), vertices.to(self.device))

    def linear(
        self, codes: Tensor, importance: np.ndarray | None = None, draft: bool = False
    ) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """This avatar as base [N, 14], deltas [K, N, 14] and a map from code to K weights, which
        stay within -1..1 for `codes` [T, C] seen in the footage. Where it is no such sum, what
        shows most (`importance` [N]) is kept best; a draft is quick and coarse."""
        return linearise(self, codes, importance, draft)

    @property
    def device(self) -> torch.device:
        return self.surface.barycentric.device


def per_column(values: Sequence[float]) -> Tensor:
    """One value for each of RAW_SIZES, as one for each of the columns [14]."""
    return torch.tensor(values).repeat_interleave(torch.tensor(RAW_SIZES))


def param_tensors(params: HeadParams, device: torch.device) -> HeadParams:
    """NumPy params as float32 tensors."""
    arrays = {name: np.array(value, np.float32) for name, value in vars(params).items()}
    return HeadParams(**{name: torch.from_numpy(v).to(device) for name, v in arrays.items()})


def drive(head: HeadModel, params: HeadParams) -> tuple[Tensor, Tensor]:
    """Codes [B, C] and posed vertices [B, V, 3] of NumPy params, float32."""
    code = torch.from_numpy(np.asarray(head.code(params), np.float32))
    return code, torch.from_numpy(np.asarray(head.pose(params), np.float32))


class FittedAvatar(Avatar):
    """An Avatar with one learned set of raw Gaussians, which its expression code moves away from.

    A subclass says how: `gaussians` of what it is driven by, or of nothing.
    """

    def __init__(self, head: HeadModel, binding: Binding, scales: np.ndarray) -> None:
        """`scales` [N] are the first standard deviations in metres."""
        super().__init__(head, binding)
        n = len(binding.face)
        self.means = nn.Parameter(torch.zeros(n, 3))
        self.quats = nn.Parameter(torch.tensor([1.0, 0, 0, 0]).repeat(n, 1))
        self.scales = nn.Parameter(torch.from_numpy(np.log(scales))[:, None].repeat(1, 3))
        self.opacities = nn.Parameter(torch.zeros(n))
        self.colors = nn.Parameter(torch.zeros(n, 3))

    @torch.no_grad()
    def start_from(self, base: Tensor) -> None:
        """Take raw Gaussians [N, 14] as the learned set."""
        self.means.copy_(base[:, MEANS])
        self.quats.copy_(base[:, QUATS])
        self.scales.copy_(base[:, SCALES])
        self.opacities.copy_(base[:, OPACITY])
        self.colors.copy_(base[:, COLORS])

    def raw_base(self) -> Tensor:
        """The learned set itself, raw, [N, 14]."""
        return torch.cat(
            [self.means, self.quats, self.scales, self.opacities[:, None], self.colors], dim=-1
        )

    def gaussians(self, driver: Tensor | None, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N] on posed vertices [B, V, 3], quats not normalised. Without a
        driver the learned set alone: what the first phase fits."""
        raise NotImplementedError


class PartBlendshapes(nn.Module):
    """The k deltas of one part of the face, stored only for the n Gaussians it reaches."""

    index: Tensor  # [n]
    reach: Tensor  # [n, 10] support 0..1 times the unit of each column

    def __init__(self, support: np.ndarray, blendshapes: int) -> None:
        """`support` [N] says how much each Gaussian of the avatar belongs to the part."""
        super().__init__()
        reached = np.flatnonzero(support > 0)
        self.register_buffer("index", torch.from_numpy(reached))
        units = np.repeat(np.asarray(DELTA_UNITS, np.float32), (3, 4, 3))
        reach = support[reached].astype(np.float32)[:, None] * units
        self.register_buffer("reach", torch.from_numpy(reach))
        # One block of mean, quat and colour: three times fewer operations on every step.
        self.deltas = nn.Parameter(torch.zeros(blendshapes, len(reached), BLENDED))

    def add_to(self, base: Tensor, weights: Tensor) -> Tensor:
        """`base` [B, N, 10] plus the part's deltas weighted by `weights` [B, k]."""
        blended = (weights @ self.deltas.flatten(1)).view(len(weights), *self.reach.shape)
        return base.index_add(1, self.index, blended * self.reach)


class BlendshapeAvatar(FittedAvatar):
    """base + sum_k psi_k delta_k (RGBAvatar eq. 1), psi = F(code) (eq. 2).

    Means, quats and colours are blended; scales and opacities are the base's alone, as in the
    paper's code. Each delta is confined to the part of the face that drives it.
    """

    bakes_exactly = True

    def __init__(
        self,
        head: HeadModel,
        binding: Binding,
        parts: FaceParts,
        weights: GroupedWeights,
        scales: np.ndarray,
    ) -> None:
        """`scales` [N] are the first standard deviations in metres."""
        super().__init__(head, binding, scales)
        self.weights = weights
        self.sizes = parts.group_sizes
        self.parts = nn.ModuleList(
            PartBlendshapes(support, size)
            for support, size in zip(parts.support, parts.group_sizes, strict=True)
        )

    def blended(self, weights: Tensor | None, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Means, quats and colours [B, N, .] in tangent space for weights [B, K], or of the base
        alone."""
        base = torch.cat([self.means, self.quats, self.colors], dim=-1).expand(batch, -1, -1)
        if weights is not None:
            for part, share in zip(self._parts(), weights.split(self.sizes, dim=1), strict=True):
                base = part.add_to(base, share)
        means, quats, colors = base.split((3, 4, 3), dim=-1)
        return means, quats, colors

    def residual_penalty(self) -> Tensor:
        """Cost of large deltas: what footage shows seldom should move little."""
        return torch.stack([part.deltas.square().mean() for part in self._parts()]).sum()

    def _parts(self) -> list[PartBlendshapes]:
        return [part for part in self.parts if isinstance(part, PartBlendshapes)]

    def gaussians(self, driver: Tensor | None, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N]; the driver is the weights [B, K]."""
        batch = len(vertices)
        means, quats, colors = self.blended(driver, batch)
        means, quats = self.surface.carry(means, quats, vertices)
        return Gaussians(
            means,
            quats,
            self.scales.exp().expand(batch, -1, -1),
            self.opacities.sigmoid().expand(batch, -1),
            colors,
        )

    def local(self, code: Tensor) -> Tensor:
        """Raw tangent-space Gaussians [B, N, 14] of expression codes [B, C]."""
        means, quats, colors = self.blended(self.weights(code), len(code))
        scales = self.scales.expand(len(code), -1, -1)
        opacities = self.opacities.expand(len(code), -1)[..., None]
        return torch.cat([means, quats, scales, opacities, colors], dim=-1)

    @torch.no_grad()
    def linear(
        self, codes: Tensor, importance: np.ndarray | None = None, draft: bool = False
    ) -> tuple[np.ndarray, np.ndarray, WeightMap]:
        """Exact: the deltas take the largest weight seen, the last layer gives it up."""
        seen = self.weights(codes.to(self.device)).abs().amax(0).clamp_min(LEAST_WEIGHT)  # [K]
        base = self.raw_base()
        deltas = torch.zeros(len(seen), *base.shape, device=self.device)
        rows = torch.arange(len(seen), device=self.device).split(self.sizes)
        for part, row in zip(self._parts(), rows, strict=True):
            means, quats, colors = (part.deltas * part.reach * seen[row][:, None, None]).split(
                (3, 4, 3), dim=-1
            )
            unblended = torch.zeros(*means.shape[:2], 4, device=self.device)
            block = torch.cat([means, quats, unblended, colors], dim=-1)
            deltas[row[:, None], part.index] = block
        weight_map = self.weights.weight_map(seen.double().cpu().numpy())
        return base.cpu().numpy(), deltas.cpu().numpy(), weight_map
