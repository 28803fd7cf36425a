"""From a start to a whole avatar: the steps in order, each from one baked avatar to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ...api.baked import COLORS, BakedAvatar
from ...api.head import HeadParams
from ...avatar import Avatar
from ...metrics import psnr
from ...progress import Report, one_stage
from ...rasterize import rasterize
from ...restored_avatar import RestoredAvatar
from ..feedforward.views import Views
from .completion import recoloured, surface_of
from .memory import on_head
from .refine import Effort, Refined, refined
from .sheet import with_sheet
from .sights import sights
from .silhouette import grown

GROWN, SEEN, REFINED = 0.15, 0.25, 0.95


def shaped(baked: BakedAvatar, views: Views, report: Report) -> BakedAvatar:
    """A start that fills the views' mattes: hair and clothes grown, and what stands off set up."""
    baked = grown(baked, views, one_stage(report, "Growing hair", 0.0, GROWN))
    return with_sheet(baked, views)


def finished(
    baked: BakedAvatar,
    views: Views,
    params: HeadParams,
    effort: Effort,
    report: Report,
    show: Callable[[Avatar], object],
    fresh: int | None = None,
) -> Refined:
    """The avatar in the views' colours, completed, refined, and completed once more with what the
    refinement has found. `params` [V] are the views' own; `show` is given the avatar so far. The
    first `fresh` views are new (None: all), the others what the avatar remembers of itself."""
    report("Taking colours", GROWN)
    surface = surface_of(baked)
    colours, trust = _colours(baked, views, len(views) if fresh is None else fresh)
    coloured = recoloured(baked, surface, colours, trust)
    show(RestoredAvatar(coloured))
    if effort.seconds <= 0:
        return Refined(coloured, params, 0, seen_psnr(coloured, views))
    refining = one_stage(report, "Refining", SEEN, REFINED)
    result = refined(coloured, views, params, surface, trust, effort, refining)
    report("Completing what no picture shows", REFINED)
    last = recoloured(result.baked, surface, result.baked.base[:, COLORS], trust)
    return replace(result, baked=last, psnr=seen_psnr(last, on_head(views, result.params, last)))


def _colours(baked: BakedAvatar, views: Views, fresh: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours [N, 3] and trust [N]: what the fresh views show, mixed with the avatar's own as far
    as its remembered views show those."""
    avatar = RestoredAvatar(baked)
    found = sights(avatar, views[slice(0, fresh)])
    colours, trust = found.colours.numpy(), found.trust.numpy()
    if fresh == len(views):
        return colours, trust
    known = sights(avatar, views[slice(fresh, None)]).trust.numpy()
    share = (trust**2 / np.maximum(trust**2 + known**2, 1e-9))[:, None]
    return share * colours + (1 - share) * baked.base[:, COLORS], 1 - (1 - trust) * (1 - known)


@torch.no_grad()
def seen_psnr(baked: BakedAvatar, views: Views) -> float:
    """PSNR in dB of the avatar on the views themselves, as they were tracked."""
    avatar, found = RestoredAvatar(baked), []
    for number in range(len(views)):
        view = views[[number]]
        image, _, _ = rasterize(
            avatar.gaussians(avatar.weights(view.codes), view.vertices), view.cameras
        )
        found.append(psnr(image.clamp(0, 1).numpy(), view.pictures[..., :3].numpy()))
    return float(np.mean(found))
