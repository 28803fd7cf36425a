"""A short fit of a regressed avatar to its few pictures, held back where they say nothing.

One picture tells nothing of depth, of the far side, or of how a colour turns in the light. So a
Gaussian stays near its start, the more so the less it is seen; what is seen little changes as its
neighbours and its mirror image do; and no shape or colour leaves what pictures can show.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_matrix, diags
from torch import Tensor

from ...api.baked import COLORS, MEANS, OPACITY, SCALES, BakedAvatar
from ...api.head import HeadParams
from ...avatar import RAW, param_tensors, per_column
from ...losses import limit_colors, limit_shapes, photometric_gradient
from ...progress import Tick, silent
from ...rasterize import rasterize
from ...restored_avatar import RestoredAvatar
from ..feedforward.views import Views
from ..frame_corrections import FrameCorrections
from ..optimisation import EPSILON, POSITION_FIRST, RATES
from ..region_priors import region_priors
from .completion import Surface
from .shape_field import ShapeField

SHARE = 0.4
"""Of RGBAvatar's rates for ten images."""
SSIM_SHARE = 0.2
"""Of the loss, as in a fit."""
LAST = 0.05
"""Share of the rates that is left at the end."""
HALF = 0.5
"""Share of the time spent on pictures of half the size."""
LONGEST, NEEDLE = 2.0, 4.0
"""Longest axis in units of its start, and of the middle one."""
UNIT = (0.004, 0.3, 0.4, 1.5, 0.2)
"""What a change of one costs alike: mean in metres, quat, log scale, opacity logit, colour."""
NEAR_WEIGHT, ALONE_WEIGHT, UNSEEN_WEIGHT = 0.003, 0.3, 0.1
"""Of any change from the start in these units, the same where one picture is all there is, and
nothing tells what is of the face from what is of the moment; and of what is not seen."""
SMOOTH_WEIGHT = 0.05
"""Of differences between the changes of neighbours, as far as either is not seen."""
MIRROR_WEIGHT = 0.02
"""Of differences between a change that is not seen and the mirror image's."""
LEAST_IMAGES = 4
REACH = 0.003
"""Metres that a mean may move: at the outline it is drawn away from the head, where a picture shows
something else, and hangs beside it in any other view."""
SMALLEST = 0.6
"""Of the first size: what shrinks further leaves cracks that another view shows."""
OPAQUE = 3.0
"""Least logit of opacity of skin, ears and neck, which do not shrink at all: from beside the camera
hair behind the head showed through as dark specks."""


@dataclass(frozen=True)
class Effort:
    """When a refinement ends: after so many seconds or pictures, whichever comes first."""

    seconds: float = 20.0
    pictures: int = 2_000


@dataclass(frozen=True)
class Refined:
    """What a refinement leaves."""

    baked: BakedAvatar
    params: HeadParams  # of the views, NumPy, as the avatar corrected them
    images: int
    psnr: float = 0.0  # dB on the views


def refined(
    baked: BakedAvatar,
    views: Views,
    params: HeadParams,
    surface: Surface,
    trust: np.ndarray,
    effort: Effort,
    tick: Tick = silent,
) -> Refined:
    """The avatar fitted to the views. `params` [V] are the views' own, NumPy; `trust` [N] 0..1 says
    how well they show each Gaussian."""
    avatar = RestoredAvatar(baked).to(views.pictures.device)
    hold = _Hold(avatar, surface, trust, NEAR_WEIGHT if len(views) > 1 else ALONE_WEIGHT)
    fit = _Fit(avatar, hold, params, trust)
    queue = _Queue(len(views))
    halves = _halved(views)
    started, images = time.monotonic(), 0
    done = 0.0
    while done < 1 or images < LEAST_IMAGES:
        fit.step(halves if done < HALF else views, queue.take(), LAST**done)
        images += 1
        spent = (time.monotonic() - started) / max(effort.seconds, 1e-3)
        done = min(1.0, max(spent, images / max(effort.pictures, 1)))
        tick(done)
    base = avatar.raw_base().detach().cpu().numpy()
    return Refined(replace(baked, base=base), fit.params(), images)


class _Fit:
    """What is learned of the pictures: Gaussians and, of several pictures, their poses and the
    surface's shape, which one picture cannot tell from each other."""

    def __init__(
        self, avatar: RestoredAvatar, hold: _Hold, params: HeadParams, trust: np.ndarray
    ) -> None:
        self.avatar, self.hold = avatar, hold
        several = len(params) > 1
        self.tracked = param_tensors(params, avatar.device)
        self.corrections = FrameCorrections(avatar.head, len(params)).to(avatar.device)
        self.field = ShapeField(avatar.head, avatar.binding, trust) if several else None
        self.optimiser = _optimiser(avatar, self.corrections if several else None)

    def step(self, views: Views, index: Tensor, rate: float) -> None:
        """One picture, number `index` [1]: render over a random background, compare, move
        everything once, `rate` of its first rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["first"] * rate
        view = views[index]
        background = torch.rand((1, 3), device=view.pictures.device)
        codes, vertices = self.corrections.posed(self.tracked, index)
        gaussians = self.avatar.gaussians(self.avatar.weights(codes.detach()), vertices)
        image, _, _ = rasterize(gaussians, view.cameras, background)
        target = view.pictures[..., :3] + (1 - view.pictures[..., 3:]) * background[:, None, None]
        _, gradient, _ = photometric_gradient(image.detach(), target, ssim_share=SSIM_SHARE)
        self.optimiser.zero_grad()
        base = self.avatar.raw_base()
        results = [image, base, self.corrections.penalty(index)]
        torch.autograd.backward(results, [gradient, self.hold.gradient(base.detach()), None])
        self.optimiser.step()
        means = self.avatar.means
        if self.field and means.grad is not None:
            self.hold.carry(self.avatar, self.field.step(means.grad, rate))
        self.hold.restrain(self.avatar)

    def params(self) -> HeadParams:
        """The pictures' params, NumPy, as corrected."""
        return self.corrections.corrected(self.tracked)


class _Hold:
    """What keeps an avatar near its start: a quadratic cost of its change, so that the gradient is
    one product with a sparse matrix."""

    def __init__(
        self, avatar: RestoredAvatar, surface: Surface, trust: np.ndarray, near: float
    ) -> None:
        self.start = avatar.raw_base().detach().clone()
        self.units = per_column(UNIT).to(avatar.device)
        solid = torch.from_numpy(region_priors(avatar.head, avatar.binding).solid > 0)
        solid = solid.to(avatar.device)
        shrunk = torch.where(solid, 0.0, float(np.log(SMALLEST)))
        self.smallest = self.start[:, SCALES] + shrunk[:, None]
        self.clearest = torch.where(solid, OPAQUE, -torch.inf)
        self.start[:, OPACITY] = torch.maximum(self.start[:, OPACITY], self.clearest)
        self.longest = self.start[:, SCALES].amax(-1) + float(np.log(LONGEST))
        self.every, self.colours = _costs(surface, 1 - trust, near)

    @torch.no_grad()
    def carry(self, avatar: RestoredAvatar, shift: Tensor) -> None:
        """The avatar and the start that it is held to, moved alike: `shift` [N, 3], local."""
        avatar.means.add_(shift)
        self.start[:, MEANS] += shift

    @torch.no_grad()
    def restrain(self, avatar: RestoredAvatar) -> None:
        """After a step: shapes, places and colours back within what they may be."""
        moved = avatar.means - self.start[:, MEANS]
        far = moved.norm(dim=-1, keepdim=True).clamp_min(REACH)
        avatar.means.copy_(self.start[:, MEANS] + moved * (REACH / far))
        avatar.scales.clamp_(min=self.smallest)
        avatar.opacities.clamp_(min=self.clearest)
        limit_shapes(avatar.scales, self.longest, NEEDLE)
        limit_colors(avatar.colors)

    def gradient(self, base: Tensor) -> Tensor:
        """Of the cost, by the raw Gaussians [N, 14]."""
        change = ((base - self.start) / self.units).cpu().numpy()
        pull = self.every @ change
        pull[:, COLORS] += self.colours @ change[:, COLORS]
        return 2 * torch.from_numpy(pull).to(base.device) / self.units


def _costs(surface: Surface, doubt: np.ndarray, near: float) -> tuple[csr_matrix, csr_matrix]:
    """The symmetric matrices [N, N] of the cost of changes c, the sum of c.T @ A @ c over columns:
    one for every column, one more for the colours. `doubt` [N] is how little is seen of each,
    `near` what any change costs."""
    count = len(doubt)
    still = diags((near + UNSEEN_WEIGHT * doubt) / (count * RAW))
    edges = surface.index[surface.edges]
    loose = doubt[edges].max(1) * SMOOTH_WEIGHT / (len(edges) * RAW)
    mirrored = np.column_stack([surface.index, surface.index[surface.mirror]])
    across = doubt[surface.index] * MIRROR_WEIGHT / (3 * len(mirrored))
    every = csr_matrix(still, dtype=np.float32) + _differences(edges, loose, count)
    return every, _differences(mirrored, across, count)


def _differences(pairs: np.ndarray, weights: np.ndarray, count: int) -> csr_matrix:
    """The matrix [N, N] of the weighted squares of differences between `pairs` [E, 2]."""
    rows = np.repeat(np.arange(len(pairs)), 2)
    signs = np.tile([1.0, -1.0], len(pairs))
    edges = csr_matrix((signs, (rows, pairs.ravel())), shape=(len(pairs), count))
    return csr_matrix(edges.T @ diags(weights) @ edges, dtype=np.float32)


class _Queue:
    """View numbers without end, every view once a round."""

    def __init__(self, views: int) -> None:
        self._generator = torch.Generator().manual_seed(0)
        self._views = views
        self._waiting: list[int] = []

    def take(self) -> Tensor:
        """One number, as a tensor [1]."""
        if not self._waiting:
            self._waiting = torch.randperm(self._views, generator=self._generator).tolist()
        return torch.tensor([self._waiting.pop()])


def _halved(views: Views) -> Views:
    """The same views at half the size."""
    planes = views.pictures.movedim(-1, 1)
    small = torch.nn.functional.avg_pool2d(planes, 2).movedim(1, -1)
    Ks = views.cameras.Ks.clone()
    Ks[:, :2] /= 2
    height, width = small.shape[1:3]
    cameras = views.cameras._replace(Ks=Ks, width=width, height=height)
    return replace(views, pictures=small.contiguous(), cameras=cameras)


def _optimiser(avatar: RestoredAvatar, corrections: FrameCorrections | None) -> torch.optim.Adam:
    rates = {**RATES, "means": POSITION_FIRST}
    groups = [
        {"params": [getattr(avatar, name)], "first": rate * SHARE} for name, rate in rates.items()
    ]
    if corrections is not None:
        groups.append(corrections.learning(1))
    return torch.optim.Adam(groups, lr=0.0, eps=EPSILON, fused=True)
