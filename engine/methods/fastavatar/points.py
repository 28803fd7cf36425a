"""The head's points: where tokens ask and where Gaussians live (the 3D positional prompts of paper
002, 3.2). The built-in head has one topology, so they are the same for everybody."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from ...api.baked import Binding
from ...api.head import HeadModel
from ...binding import SurfaceBinding, texel_spacing, uniform_uv_binding
from ...heads.builtin import builtin_head
from ...heads.landmarks import IBUG_TO_MEDIAPIPE
from ...levels import places
from ..feedforward.layers import waves
from ..region_priors import TINTS

FREQUENCIES = 8
LONGEST = 1.0
"""Metres of the position encoding's longest wave."""
NEIGHBOURS = 4
"""Tokens that a Gaussian reads."""
LANDMARK_REGIONS = ("skin", "lips", "eyelids")
REGIONS_APART = 1.0
"""Metres put between regions: an upper lip must not read a lower one's teeth."""


class HeadPoints(nn.Module):
    """P token points and N Gaussian points on the built-in head. Nothing here is learned."""

    token_waves: Tensor  # [P, .] encoded positions
    waves: Tensor  # [N, .]
    near: Tensor  # [N, k] token points that a Gaussian reads
    share: Tensor  # [N, k] sums to 1
    spacing: Tensor  # [N] log metres between neighbours
    landmarks: Tensor  # [M] Gaussian points at the face's landmarks
    region: Tensor  # [N] index into the head's regions
    tints: Tensor  # [R, 3] usual colours of regions, NaN where there is none

    def __init__(self, tokens_uv: int, points_uv: int) -> None:
        super().__init__()
        head = builtin_head()
        tokens, self.binding = _points(tokens_uv), _points(points_uv)
        self.surface = SurfaceBinding(self.binding, head.faces)
        token_places, point_places = places(head, tokens), places(head, self.binding)
        same = tokens_uv == points_uv
        near, share = _readings(head, tokens, self.binding, 1 if same else NEIGHBOURS)
        spacing = np.log(texel_spacing(head, self.binding, points_uv))
        for name, values in (
            ("token_waves", _encoded(token_places)),
            ("waves", _encoded(point_places)),
            ("near", torch.from_numpy(near)),
            ("share", torch.from_numpy(share)),
            ("spacing", torch.from_numpy(spacing.astype(np.float32))),
            ("region", torch.from_numpy(head.face_regions[self.binding.face].astype(np.int64))),
            ("tints", torch.tensor([TINTS.get(n, (math.nan,) * 3) for n in head.region_names])),
            ("landmarks", torch.from_numpy(_at_landmarks(head, self.binding))),
        ):
            self.register_buffer(name, values, persistent=False)

    def read(self, tokens: Tensor) -> Tensor:
        """Values [F, N, D] of the Gaussian points from those of the token points [F, P, D]."""
        read = tokens[:, self.near[:, 0]] * self.share[:, 0, None]
        for k in range(1, self.near.shape[1]):
            read = read + tokens[:, self.near[:, k]] * self.share[:, k, None]
        return read


@lru_cache(maxsize=8)
def head_points(tokens_uv: int, points_uv: int) -> HeadPoints:
    """The points of UV rasters of these sizes; made once."""
    return HeadPoints(tokens_uv, points_uv)


@lru_cache(maxsize=8)
def _points(uv: int) -> Binding:
    return uniform_uv_binding(builtin_head(), uv)


def _encoded(positions: np.ndarray) -> Tensor:
    """Positions [N, 3] in metres and their waves, [N, 3 + 6 x FREQUENCIES]."""
    position = torch.from_numpy(positions.astype(np.float32))
    return torch.cat([position, waves(position, FREQUENCIES, 2 * math.pi / LONGEST)], dim=-1)


def _readings(
    head: HeadModel, tokens: Binding, points: Binding, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens [N, count] near each point in its own region, and their shares."""
    there, here = (_by_region(head, binding) for binding in (tokens, points))
    distance, index = cKDTree(there).query(here, k=count)
    distance, index = distance.reshape(len(here), count), index.reshape(len(here), count)
    share = 1 / (distance + 1e-4)
    return index, (share / share.sum(1, keepdims=True)).astype(np.float32)


def _by_region(head: HeadModel, binding: Binding) -> np.ndarray:
    region = head.face_regions[binding.face].astype(np.float64)[:, None]
    return np.concatenate([places(head, binding), region * REGIONS_APART], axis=1)


def _at_landmarks(head: HeadModel, points: Binding) -> np.ndarray:
    """Points [M] of the skin nearest to the landmarks of iBUG's 68 that the mesh knows, each
    once."""
    numbers = np.array(sorted(IBUG_TO_MEDIAPIPE.values()))
    known = numbers[head.landmark_faces[numbers] >= 0]
    corners = head.vertices[head.faces[head.landmark_faces[known]]]
    landmarks = np.einsum("mk,mkc->mc", head.landmark_barycentrics[known], corners)
    skin = [index for index, name in enumerate(head.region_names) if name in LANDMARK_REGIONS]
    candidates = np.flatnonzero(np.isin(head.face_regions[points.face], skin))
    nearest = cKDTree(places(head, points)[candidates]).query(landmarks)[1]
    return np.unique(candidates[nearest])
