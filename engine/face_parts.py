"""The parts of a face that move apart: which code numbers drive them and where they reach.

Built from the names and deltas of the head's expressions, so that any head model with ARKit-like
names gets three parts (mouth, eyes, brows) and what surrounds them, and any other head gets one
part that is everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .api.baked import Binding
from .api.head import JOINTS, HeadModel

PARTS = ("mouth", "eyes", "brows")
SHARE = (0.5, 0.25, 0.1, 0.15)
"""Shares of the K blendshapes, the surroundings last: lips and cheeks have most to say."""
SURROUNDINGS = len(PARTS)
PREFIXES = {
    "mouth": ("jaw", "mouth", "tongue", "cheek", "nose"),
    "eyes": ("eye", "gaze", "blink"),
    "brows": ("brow",),
}
REGIONS = {
    "mouth": ("lips", "mouth", "teeth", "teeth_upper", "teeth_lower", "tongue", "gums"),
    "eyes": ("eyelids", "eyeballs", "eyes"),
    "brows": (),
}
"""Regions that a part owns: it reaches all of them, and no other part does."""
FAINT = 0.04
FULL = 0.20
"""A part reaches where its expressions move the skin by 4 % (not at all) to 20 % (fully) of their
largest motion: a margin beyond the visible motion, for the wrinkles and shadows at its border."""


@dataclass(frozen=True)
class FaceParts:
    """Groups of the expression code and their reach over the Gaussians."""

    driven_by: np.ndarray  # [G, C] bool: the code numbers that each group sees
    group_sizes: tuple[int, ...]  # G, sum K
    support: np.ndarray  # [G, N] 0..1


def face_parts(head: HeadModel, binding: Binding, blendshapes: int) -> FaceParts:
    """The parts of `head` with `blendshapes` = K shared out among them."""
    part_of_code = np.array([_part_of(name) for name in head.code_names])
    if (part_of_code < 0).any():
        everywhere = np.ones((1, len(binding.face)), np.float32)
        return FaceParts(np.ones((1, len(part_of_code)), bool), (blendshapes,), everywhere)
    sizes = [max(1, round(blendshapes * share)) for share in SHARE]
    sizes[0] = max(1, blendshapes - sum(sizes[1:]))
    support = np.stack([_support(head, binding, part) for part in PARTS])
    support = np.concatenate([support, 1 - support.max(0, keepdims=True)])
    driven_by = part_of_code == np.arange(len(PARTS))[:, None]
    # Hair, neck and clothes follow everything, as the whole head does in the paper: a jaw moves a
    # neck, a brow moves a fringe, and a turned head a collar. It is worth more than 1 dB.
    driven_by = np.concatenate([driven_by, np.ones_like(driven_by[:1])])
    return FaceParts(driven_by, tuple(sizes), support.astype(np.float32))


def _part_of(name: str) -> int:
    lowered = name.lower()
    for index, part in enumerate(PARTS):
        if lowered.startswith(PREFIXES[part]):
            return index
    return SURROUNDINGS if lowered.startswith("neck") else -1


def _support(head: HeadModel, binding: Binding, part: str) -> np.ndarray:
    moved = np.zeros(len(head.vertices))
    for name, delta in zip(head.expression_names, head.expression_deltas, strict=True):
        if _part_of(name) == PARTS.index(part):
            moved = np.maximum(moved, np.linalg.norm(delta, axis=-1))
    reach = np.clip((moved / max(moved.max(), 1e-9) - FAINT) / (FULL - FAINT), 0, 1)
    if part == "eyes":
        for joint in ("eye_left", "eye_right"):
            reach = np.maximum(reach, head.skin_weights[:, JOINTS.index(joint)])
    if part == "mouth":
        reach = np.maximum(reach, head.skin_weights[:, JOINTS.index("jaw")])
    reach = reach * reach * (3 - 2 * reach)
    corners = reach[head.faces[binding.face]]
    gaussians = np.einsum("nk,nk->n", binding.barycentric, corners)
    owned = [i for i, region in enumerate(head.region_names) if region in REGIONS[part]]
    others = [name for other in PARTS if other != part for name in REGIONS[other]]
    foreign = [i for i, region in enumerate(head.region_names) if region in others]
    region = head.face_regions[binding.face]
    gaussians = np.where(np.isin(region, foreign), 0.0, gaussians)
    return np.where(np.isin(region, owned), 1.0, gaussians)
