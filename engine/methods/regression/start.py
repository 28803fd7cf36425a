"""What a few pictures begin with where there is no network: a plain surface on the head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ...api.baked import BakedAvatar, Binding
from ...api.head import HeadModel
from ...api.regression import REGRESSORS
from ...avatar import RAW
from ...bake import bake
from ...binding import texel_spacing, uniform_uv_binding
from ...clip import TrackedClip
from ..feedforward.regressed import RegressedAvatar
from ..feedforward.views import Views
from ..feedforward.weights import FOLDER, trained

UV_SIZE = 192
"""39,000 Gaussians on the built-in head: about one for every two pixels of a face in 512 x 512."""
SIZE = 0.7
"""Standard deviation in units of the distance between neighbours: closed, not blurred."""
OPACITY_LOGIT = 2.5
GREY = 0.5
LARGEST = 2.0
"""In units of a region's median size: folds of the mouth stretch without bound."""


def regressed(
    method: str, clip: TrackedClip, views: Views, tell: Callable[[str], None]
) -> BakedAvatar:
    """The avatar that the method's network sees in the views, or the plain start where there are no
    weights, which `tell` hears in one line. Raises ModelError where they are damaged."""
    if not (FOLDER / f"{method}.safetensors").is_file():
        tell(f"{REGRESSORS[method].label} has no weights here: projecting the pictures instead.")
        return bake(plain_start(clip.head), clip, draft=True)
    with torch.no_grad():
        return bake(trained(method)(views), clip, draft=True)


def plain_start(head: HeadModel, uv_size: int = UV_SIZE) -> RegressedAvatar:
    """A grey, closed surface on the head: what there is without a network."""
    binding = uniform_uv_binding(head, uv_size)
    raw = torch.zeros(len(binding.face), RAW)
    raw[:, 3] = 1
    raw[:, 7:10] = torch.from_numpy(np.log(_sizes(head, binding, uv_size)))[:, None]
    raw[:, 10] = OPACITY_LOGIT
    raw[:, 11:] = GREY
    return RegressedAvatar(head, binding, raw)


def _sizes(head: HeadModel, binding: Binding, uv_size: int) -> np.ndarray:
    """Standard deviations [N] in metres."""
    size = SIZE * texel_spacing(head, binding, uv_size)
    region = head.face_regions[binding.face]
    for number in np.unique(region):
        mine = region == number
        size[mine] = np.minimum(size[mine], LARGEST * np.median(size[mine]))
    return size
