"""Which start is refined: the network's, or the pictures projected onto the head.

Our networks are small and trained on made-up people. Where one shows the very pictures it was given
worse than a projection does, the projection is the better start, and the user is told.
"""

from __future__ import annotations

from ...api.baked import BakedAvatar
from ...api.errors import HeadError
from ...bake import bake
from ...clip import TrackedClip
from ...progress import Report, span
from ...restored_avatar import RestoredAvatar
from ..feedforward.views import Views
from .completion import recoloured, surface_of
from .sights import sights
from .start import network_start, plain_start
from .steps import seen_psnr, shaped


def first_avatar(
    method: str, label: str, clip: TrackedClip, views: Views, report: Report
) -> tuple[BakedAvatar, str]:
    """The start that fills the views' mattes, and a line for the user or nothing. `label` is the
    method's for people. Raises ModelError where the method's weights are damaged."""
    plain = bake(plain_start(clip.head), clip, draft=True)
    network, why = None, f"{label} has no weights here"
    try:
        network = network_start(method, clip, views)
    except HeadError as error:
        why = error.message.rstrip(".")
    if network is None:
        words = f"{why}: the pictures are projected onto the head instead."
        return shaped(plain, views, report), words
    seen = shaped(network, views, span(report, 0, 0.5))
    projected = shaped(plain, views, span(report, 0.5, 1))
    lacking = _coloured_psnr(projected, views) - _coloured_psnr(seen, views)
    if lacking <= 0:
        return seen, ""
    words = f"{label} shows these pictures {lacking:.1f} dB worse than a projection onto the head"
    return projected, f"{words}; the projection is refined instead."


def _coloured_psnr(baked: BakedAvatar, views: Views) -> float:
    """How well in dB a start shows the views once it has their colours."""
    found = sights(RestoredAvatar(baked), views)
    coloured = recoloured(baked, surface_of(baked), found.colours.numpy(), found.trust.numpy())
    return seen_psnr(coloured, views)
