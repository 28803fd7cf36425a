"""Any avatar as blendshapes: the SVD of how its expression code moves the raw Gaussians.

Each face part gets blendshapes of its own, found with only its share of the code moving, so that
sliders stay apart; what remains, interactions and surroundings, follows the whole code. A small
network learns which code gives which weights. The price is measured by `bake`, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .api.baked import COLORS, MEANS, OPACITY, QUATS, SCALES, WeightMap
from .face_parts import face_parts
from .networks import CodeStatistics, GroupedWeights

if TYPE_CHECKING:
    from .avatar import Avatar

MOST_BLENDSHAPES = 40
LEFT_OVER = 0.05
"""Share of each part's weighted variance that its blendshapes may leave out."""
SAMPLES, DRAFT_SAMPLES = 200, 24
"""Codes of the footage that are sampled."""
MOST_NUMBERS = 4_000_000
"""Samples times Gaussians: fewer codes for many Gaussians, to bound the memory."""
LEAST_RANGE = 0.05
"""Numbers of the code that vary less in the footage are no sliders worth an extreme."""
BATCH = 4
STEPS, DRAFT_STEPS, RATE = 1500, 150, 5e-3
"""Of the weight map's training, full batch."""
COLOUR_STEP = 0.1
"""A change of colour that counts as much as moving by a Gaussian's own size."""
LEAST_IMPORTANCE = 0.02
"""Importance, relative to the mean, of what hardly shows in the footage."""

Linear = tuple[np.ndarray, np.ndarray, WeightMap]


@dataclass(frozen=True)
class _Part:
    """One part's weighted residuals over S samples, decomposed."""

    seen: np.ndarray  # [C] bool: the code numbers that drive it
    mean: Tensor  # [N, 14] raw
    directions: Tensor  # [r, N, 14] raw, of coefficient 1
    coefficients: Tensor  # [S, r], strongest first
    left_over: np.ndarray  # [r + 1] share of the variance left by the first k

    def needs(self, left_over: float) -> int:
        """Fewest blendshapes that leave out no more than this."""
        return int(np.argmax(self.left_over <= left_over))


@dataclass(frozen=True)
class Decomposition:
    """An avatar's residuals over sampled codes, as far as `most` blendshapes may need them."""

    base: Tensor  # [N, 14] raw, mean of the samples
    weight: Tensor  # [N, 14] how much a change of each raw number shows
    samples: Tensor  # [S, C]
    parts: tuple[_Part, ...]  # those that move at all

    @torch.no_grad()
    def linear(
        self, most: int = MOST_BLENDSHAPES, left_over: float = LEFT_OVER, steps: int = STEPS
    ) -> Linear:
        """Base [N, 14], deltas [K, N, 14] and the map of the code. K is what `left_over` asks
        for, at most `most`."""
        base = self.base.cpu().numpy()
        if not self.parts:
            return base, np.zeros((0, *base.shape), np.float32), WeightMap(())
        deltas, network = self.blendshapes(most, left_over, steps)
        return base, deltas.cpu().numpy(), network.weight_map(np.ones(len(deltas)))

    @torch.no_grad()
    def blendshapes(
        self, most: int = MOST_BLENDSHAPES, left_over: float = LEFT_OVER, steps: int = STEPS
    ) -> tuple[Tensor, GroupedWeights]:
        """Deltas [K, N, 14] and the network that weighs them, where any part moves."""
        sizes = _sizes(self.parts, most, left_over)
        deltas, targets = [], []
        for part, size in zip(self.parts, sizes, strict=True):
            # Weights seen lie within -1..1.
            largest = part.coefficients[:, :size].abs().amax(0).clamp_min(1e-12)
            deltas.append(part.directions[:size] * largest[:, None, None])
            targets.append(part.coefficients[:, :size] / largest)
        driven_by = np.stack([part.seen for part in self.parts])
        statistics = CodeStatistics(self.samples.numpy())
        network = GroupedWeights(statistics, driven_by, sizes, torch.Generator().manual_seed(0))
        strengths = _strengths(deltas, self.weight).cpu()
        _learn_map(network, self.samples, torch.cat(targets, dim=1).cpu(), strengths, steps)
        return torch.cat(deltas), network


@torch.no_grad()
def decompose(
    avatar: Avatar,
    codes: Tensor,
    importance: np.ndarray | None = None,
    draft: bool = False,
    most: int = MOST_BLENDSHAPES,
) -> Decomposition:
    """The residuals of an avatar for codes [T, C] like those of the footage. `importance` [N] says
    how much each Gaussian shows. A draft is quick and coarse, for previews."""
    seen = codes.cpu().numpy()
    most_samples = max(DRAFT_SAMPLES, min(SAMPLES, MOST_NUMBERS // len(avatar.binding.face)))
    samples = sample_codes(seen, DRAFT_SAMPLES if draft else most_samples, extremes=not draft)
    centre = torch.from_numpy(seen.mean(0, keepdims=True)).to(avatar.device)
    base = avatar.local(centre)[0]
    weight = _column_weights(base, importance)
    parts = []
    for driven, residual in _residuals(avatar, samples.to(avatar.device), centre):
        part = _decomposed(residual, weight, driven, most)
        base = base + part.mean
        parts.append(part)
    moving = tuple(part for part in parts if part.coefficients.shape[1])
    return Decomposition(base, weight, samples, moving)


def linearise(
    avatar: Avatar, codes: Tensor, importance: np.ndarray | None = None, draft: bool = False
) -> Linear:
    """Base [N, 14], deltas [K, N, 14] and the map of the code of any avatar."""
    found = decompose(avatar, codes, importance, draft)
    return found.linear(steps=DRAFT_STEPS if draft else STEPS)


def sample_codes(seen: np.ndarray, count: int, extremes: bool) -> Tensor:
    """Codes [S, C]: `count` spread over those seen [T, C], the neutral face, and every single
    number of the code at the two ends of what was seen."""
    picked = np.unique(np.linspace(0, len(seen) - 1, count).round().astype(int))
    low, high = seen.min(0), seen.max(0)
    neutral = np.clip(np.zeros((1, seen.shape[1]), np.float32), low, high)
    rows = [seen[picked], neutral]
    for number in np.flatnonzero(high - low > LEAST_RANGE) if extremes else []:
        for end in (low[number], high[number]):
            row = neutral.copy()
            row[0, number] = end
            rows.append(row)
    return torch.from_numpy(np.concatenate(rows).astype(np.float32))


def _residuals(
    avatar: Avatar, samples: Tensor, centre: Tensor
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """For each part the code numbers that drive it [C] and the change [S, N, 14] that they make of
    the Gaussians; the last part is what the others do not explain, driven by everything. One at a
    time: each is hundreds of megabytes."""
    driven = face_parts(avatar.head, avatar.binding, 0).driven_by
    rest = _local(avatar, samples) - avatar.local(centre)
    for seen in (row for row in driven if not row.all()):
        alone = torch.where(torch.from_numpy(seen).to(samples.device), samples, centre)
        residual = _local(avatar, alone) - avatar.local(centre)
        rest -= residual
        yield seen, residual
    yield np.ones(samples.shape[1], bool), rest


def _local(avatar: Avatar, codes: Tensor) -> Tensor:
    return torch.cat([avatar.local(chunk) for chunk in codes.split(BATCH)])


def _column_weights(base: Tensor, importance: np.ndarray | None) -> Tensor:
    """How much a change of each raw number [N, 14] shows, roughly: motion in units of the size, a
    turn by how long the Gaussian is, all by the pixels that it covers."""
    size = base[:, SCALES].sort(dim=-1).values[:, 1:].exp()  # [N, 2] the longer two axes, metres
    opacity = base[:, OPACITY].sigmoid()
    weight = torch.ones_like(base)
    weight[:, MEANS] = 1 / size.mean(-1, keepdim=True)
    weight[:, QUATS] = (size[:, 1:] / size[:, :1] - 1).clamp(0.05, 1)
    weight[:, OPACITY] = 1 - opacity
    weight[:, COLORS] = 1 / COLOUR_STEP
    shows = opacity
    if importance is not None:
        relative = torch.from_numpy(importance / importance.mean()).to(base)
        shows = relative.clamp_min(LEAST_IMPORTANCE).sqrt()
    return weight * shows[:, None]


def _decomposed(residual: Tensor, weight: Tensor, seen: np.ndarray, most: int) -> _Part:
    """SVD by the Gram matrix of the samples: S is hundreds, N x 14 hundreds of thousands."""
    mean = residual.mean(0)
    centred = ((residual - mean) * weight).flatten(1)
    values, vectors = torch.linalg.eigh((centred @ centred.T).double())
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    total = float(values.sum())
    rank = min(most, int((values > 1e-9 * max(total, 1e-9)).sum()))
    singular = values[:rank].sqrt()
    directions = (vectors[:, :rank] / singular).T.float() @ centred
    left = 1 - np.concatenate([[0.0], (values.cumsum(0) / max(total, 1e-12)).cpu().numpy()])
    return _Part(
        seen=seen,
        mean=mean,
        directions=directions.view(-1, *mean.shape) / weight,
        coefficients=(vectors[:, :rank] * singular).float(),
        left_over=np.append(left[:rank], 0.0),
    )


def _sizes(parts: tuple[_Part, ...], most: int, left_over: float) -> list[int]:
    """How many blendshapes each part gets: as many as leave the same share of its variance,
    `left_over` or, where that takes more than `most`, a larger one."""
    sizes = [max(1, part.needs(left_over)) for part in parts]
    while sum(sizes) > most and left_over < 1:
        left_over = max(left_over, 1e-6) * 1.1
        sizes = [max(1, part.needs(left_over)) for part in parts]
    return sizes


def _strengths(deltas: list[Tensor], weight: Tensor) -> Tensor:
    """How much each blendshape shows [K], relative to the mean."""
    strength = torch.cat([(delta * weight).flatten(1).norm(dim=1) for delta in deltas])
    return strength / strength.mean()


@torch.enable_grad()
def _learn_map(
    network: GroupedWeights, codes: Tensor, targets: Tensor, strengths: Tensor, steps: int
) -> None:
    """Teaches the network, in place, which weights [S, K] the codes [S, C] give."""
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        error = (network.unclamped(codes) - targets) * strengths
        torch.autograd.backward(error.square().mean())
        optimiser.step()
        rates.step()
