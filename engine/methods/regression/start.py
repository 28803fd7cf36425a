"""What a refinement begins with: a network's avatar, or a plain surface on the head."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from ...api.baked import COLORS, OPACITY, SCALES, BakedAvatar, Binding
from ...api.head import HeadModel
from ...avatar import RAW
from ...bake import bake
from ...binding import covering, joined, picked
from ...clip import TrackedClip
from ...mesh import face_areas
from ..feedforward.regressed import RegressedAvatar
from ..feedforward.views import Views
from ..feedforward.weights import FOLDER, trained
from ..region_priors import INSIDE

UV_SIZE = 192
"""39,000 Gaussians on the built-in head: about one for every two pixels of a face in 512 x 512."""
SIZE = 0.7
"""Standard deviation in units of the distance between neighbours: closed, not blurred."""
OPACITY_LOGIT = 2.5
GREY = 0.5
FLAT = 0.3
"""How much thinner than wide Gaussians behind the lips are: they must not show."""
LINING_ORDER = 4
"""Ten Gaussians on each triangle of the mouth's lining: it takes its colours from a picture."""
MOVING = (*INSIDE, "lips", "eyelids", "eyeballs")
"""Regions that slide over each other: a network's large Gaussians keep an eye from closing."""
STRETCHED = 1.4
"""Growth of a triangle's area by one expression from which a network's Gaussians leave gaps."""
LARGEST = 2.0
"""In units of a region's median size: folds of the mouth stretch without bound."""


def network_start(method: str, clip: TrackedClip, views: Views) -> BakedAvatar | None:
    """The avatar that the method's network sees in the views, closed with plain surface where it
    has none; None where there are no weights. Raises ModelError where they are damaged."""
    if not (FOLDER / f"{method}.safetensors").is_file():
        return None
    with torch.no_grad():
        seen = bake(trained(method)(views), clip, draft=True)
    return _closed(seen, bake(plain_start(clip.head), clip, draft=True))


def _closed(baked: BakedAvatar, plain: BakedAvatar) -> BakedAvatar:
    """An avatar with the plain one's Gaussians on the triangles that move most, and on those that
    have none: a network of pixels knows no back of the head."""
    moving = _in_regions(baked.head, baked.binding, MOVING)
    kept = ~(moving | _stretched(baked.head)[baked.binding.face])
    own = picked(baked.binding, kept)
    bare = ~np.isin(plain.binding.face, own.face)
    added, deltas = plain.base[bare], baked.deltas[:, kept]
    still = np.zeros((len(deltas), *added.shape), np.float32)
    return replace(
        baked,
        binding=joined(own, picked(plain.binding, bare)),
        base=np.concatenate([baked.base[kept], added]),
        deltas=np.concatenate([deltas, still], axis=1),
        levels=(int(kept.sum() + bare.sum()),),
    )


def plain_start(head: HeadModel, uv_size: int = UV_SIZE) -> RegressedAvatar:
    """A grey, closed surface on the head: what there is without a network."""
    binding, spacing = covering(head, uv_size, LINING_ORDER)
    size = _limited(head, binding, SIZE * spacing)
    raw = torch.zeros(len(binding.face), RAW)
    raw[:, 3] = 1
    raw[:, SCALES] = torch.from_numpy(np.log(size))[:, None]
    raw[_in_regions(head, binding, INSIDE), SCALES.stop - 1] += math.log(FLAT)
    raw[:, OPACITY] = OPACITY_LOGIT
    raw[:, COLORS] = GREY
    return RegressedAvatar(head, binding, raw)


def _limited(head: HeadModel, binding: Binding, size: np.ndarray) -> np.ndarray:
    """Sizes [N] without those that stick out of their region."""
    region = head.face_regions[binding.face]
    for number in np.unique(region):
        mine = region == number
        size[mine] = np.minimum(size[mine], LARGEST * np.median(size[mine]))
    return size.astype(np.float32)


def _stretched(head: HeadModel) -> np.ndarray:
    """Which [F] triangles some expression stretches much."""
    rest = np.maximum(face_areas(head.vertices, head.faces), 1e-12)
    found = np.zeros(len(head.faces), bool)
    for delta in head.expression_deltas:
        found |= face_areas(head.vertices + delta, head.faces) > STRETCHED * rest
    return found


def _in_regions(head: HeadModel, binding: Binding, names: tuple[str, ...]) -> np.ndarray:
    """Which [N] Gaussians lie in the regions of these names."""
    numbers = [index for index, name in enumerate(head.region_names) if name in names]
    return np.isin(head.face_regions[binding.face], numbers)
