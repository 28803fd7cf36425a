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
from torch import Tensor

from ...api.baked import COLORS, MEANS, SCALES, BakedAvatar
from ...api.head import HeadParams
from ...avatar import param_tensors
from ...losses import l1_gradient, limit_colors, limit_shapes
from ...progress import Tick, silent
from ...rasterize import rasterize
from ...restored_avatar import RestoredAvatar
from ..feedforward.views import Views
from ..frame_corrections import FrameCorrections
from ..optimisation import EPSILON, POSITION_FIRST, RATES
from .completion import Surface

SHARE = 0.4
"""Of RGBAvatar's rates for ten images."""
LAST = 0.05
"""Share of the rates that is left at the end."""
HALF = 0.5
"""Share of the time spent on pictures of half the size."""
LONGEST, NEEDLE = 2.0, 4.0
"""Longest axis in units of its start, and of the middle one."""
UNIT = (0.004, 0.3, 0.4, 1.5, 0.2)
"""What a change of one costs alike: mean in metres, quat, log scale, opacity logit, colour."""
NEAR_WEIGHT, UNSEEN_WEIGHT = 0.003, 0.1
"""Of any change from the start in these units, and of those of what is not seen."""
SMOOTH_WEIGHT = 0.05
"""Of differences between the changes of neighbours, as far as either is not seen."""
MIRROR_WEIGHT = 0.02
"""Of differences between a change that is not seen and the mirror image's."""
LEAST_IMAGES = 4
SLOWEST = 0.05
"""How fast, relative to what is seen well, a Gaussian moves that is not: Adam knows no small
gradients, and what shows only at the outline would run away."""
REACH = 0.003
"""Metres that a mean may move: at the outline it is drawn away from the head, where a picture shows
something else, and hangs beside it in any other view."""
SMALLEST = 0.6
"""Of the first size: what shrinks further leaves cracks that another view shows."""


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
    device = views.pictures.device
    avatar = RestoredAvatar(baked).to(device)
    hold = _Hold(avatar, surface, torch.from_numpy(trust).to(device))
    corrections = FrameCorrections(baked.head, len(views)).to(device)
    tracked = param_tensors(params, device)
    optimiser = _optimiser(avatar, corrections if len(views) > 1 else None)
    queue = _Queue(len(views))
    halves = _halved(views)
    started, images = time.monotonic(), 0
    done = 0.0
    while done < 1 or images < LEAST_IMAGES:
        for group in optimiser.param_groups:
            group["lr"] = group["first"] * LAST**done
        seen = halves if done < HALF else views
        _step(avatar, seen, tracked, corrections, hold, optimiser, queue.take())
        images += 1
        spent = (time.monotonic() - started) / max(effort.seconds, 1e-3)
        done = min(1.0, max(spent, images / max(effort.pictures, 1)))
        tick(done)
    base = avatar.raw_base().detach().cpu().numpy()
    return Refined(replace(baked, base=base), corrections.corrected(tracked), images)


def _step(
    avatar: RestoredAvatar,
    views: Views,
    tracked: HeadParams,
    corrections: FrameCorrections,
    hold: _Hold,
    optimiser: torch.optim.Adam,
    index: Tensor,
) -> None:
    """One picture: render over a random background, compare, move every parameter once."""
    view = views[index]
    background = torch.rand((1, 3), device=view.pictures.device)
    codes, vertices = corrections.posed(tracked, index)
    gaussians = avatar.gaussians(avatar.weights(codes.detach()), vertices)
    image, _, _ = rasterize(gaussians, view.cameras, background)
    target = view.pictures[..., :3] + (1 - view.pictures[..., 3:]) * background[:, None, None]
    _, gradient, _ = l1_gradient(image.detach(), target)
    optimiser.zero_grad()
    rules = hold.cost(avatar) + corrections.penalty(index)
    torch.autograd.backward([image, rules], [gradient, None])
    before = [parameter.detach().clone() for parameter in hold.slowed(avatar)]
    optimiser.step()
    hold.restrain(avatar, before)


class _Hold:
    """What keeps an avatar near its start."""

    def __init__(self, avatar: RestoredAvatar, surface: Surface, trust: Tensor) -> None:
        device = avatar.device
        self.start = avatar.raw_base().detach().clone()
        units = torch.tensor(UNIT).repeat_interleave(torch.tensor([3, 4, 3, 1, 3]))
        self.units = units.to(device)
        self.doubt = (1 - trust)[:, None]
        self.speed = SLOWEST + (1 - SLOWEST) * trust[:, None]
        self.smallest = self.start[:, SCALES] + float(np.log(SMALLEST))
        self.longest = self.start[:, SCALES].amax(-1) + float(np.log(LONGEST))
        self.index = torch.from_numpy(surface.index).to(device)
        self.edges = torch.from_numpy(surface.index[surface.edges]).to(device)
        first, second = self.edges.T
        self.loose = torch.maximum(self.doubt[first], self.doubt[second])
        self.mirror = torch.from_numpy(surface.mirror).to(device)

    def slowed(self, avatar: RestoredAvatar) -> tuple[Tensor, ...]:
        """What moves slower where it is less seen."""
        return avatar.means, avatar.quats, avatar.scales, avatar.opacities[:, None], avatar.colors

    @torch.no_grad()
    def restrain(self, avatar: RestoredAvatar, before: list[Tensor]) -> None:
        """After a step from `before`: slow what is hardly seen, keep shapes and colours legal."""
        for now, past in zip(self.slowed(avatar), before, strict=True):
            now.copy_(past + self.speed * (now - past))
        moved = avatar.means - self.start[:, MEANS]
        far = moved.norm(dim=-1, keepdim=True).clamp_min(REACH)
        avatar.means.copy_(self.start[:, MEANS] + moved * (REACH / far))
        avatar.scales.clamp_(min=self.smallest)
        limit_shapes(avatar.scales, self.longest, NEEDLE)
        limit_colors(avatar.colors)

    def cost(self, avatar: RestoredAvatar) -> Tensor:
        """Mean over the Gaussians, a scalar."""
        change = (avatar.raw_base() - self.start) / self.units
        near = ((NEAR_WEIGHT + UNSEEN_WEIGHT * self.doubt) * change.square()).mean()
        first, second = self.edges.T
        apart = change.index_select(0, first) - change.index_select(0, second)
        colour = change[self.index][:, COLORS]
        across = colour - colour.index_select(0, self.mirror)
        return (
            near
            + SMOOTH_WEIGHT * (self.loose * apart.square()).mean()
            + MIRROR_WEIGHT * (self.doubt[self.index] * across.square()).mean()
        )


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
