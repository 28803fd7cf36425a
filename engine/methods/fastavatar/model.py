"""FastAvatar (paper 002): a frame or many -> Gaussians of each frame, fused and pruned to one
avatar (K = 0)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..feedforward.layers import Pyramid
from ..feedforward.method import FeedForward, render
from ..feedforward.picture_losses import over, photometric, random_backgrounds, weighted
from ..feedforward.regressed import RegressedAvatar
from ..feedforward.topology import check_head
from ..feedforward.views import Views
from .fusion import drawn_masks, fused, keep_probability, kept, masked
from .gaussian_head import FrameGaussians, GaussianHead
from .local_features import LocalFeatures
from .losses import drawn_slices, offset_size, tracking_loss
from .packing import chosen_frames
from .points import HeadPoints, head_points
from .settings import CAPACITY, SIZES
from .transformer import GaussianTransformer

PYRAMID = (32, 64, 128)
"""Channels of our own encoder at 1/2, 1/4, 1/8 of the picture."""
WEIGHTS = {
    "l1": 0.8, "ssim": 0.1, "perceptual": 0.1, "track": 0.1, "mask": 0.0005, "offset": 0.01,
}  # fmt: skip
"""Of the loss's terms (eq. 10); `offset` is ours."""
MOST_GAUSSIANS, DENSEST, UV_STEP = 240_000, 2, 16
"""Of an avatar before pruning, where its points may be denser than in training: up to this much
along each axis of the UV map, whose raster grows by steps."""
PACKED_SHARE = 0.3
"""Of training steps in which some frames are packed, so that packing learns."""


class FastAvatar(FeedForward):
    """Any number of frames in any order: up to CAPACITY whole, what is beyond packed."""

    def __init__(self, config: str) -> None:
        super().__init__(config)
        self.sizes = SIZES[config]
        self.points = HeadPoints(self.sizes.tokens_uv, self.sizes.points_uv)
        self.encoder = None if self.sizes.frozen else Pyramid(4, PYRAMID)
        channels = self.sizes.frozen or PYRAMID[-1]
        self.transformer = GaussianTransformer(channels, self.points, self.sizes)
        local = sum(PYRAMID[:-1]) if self.sizes.local else 0
        position = self.points.waves.shape[1]
        self.head = GaussianHead(self.sizes.width, position, local, self.sizes.hidden)

    def forward(self, sources: Views) -> RegressedAvatar:
        """The avatar of the person in the frames; the same for every order of them. Raises
        HeadError for a head of another topology than the built-in one's."""
        points = self.denser_points(min(len(sources), CAPACITY))
        gaussians, _ = self.gaussians(sources, points=points)
        return fused(sources.head, points, gaussians, kept(gaussians.standing))

    def denser_points(self, frames: int) -> HeadPoints:
        """As many points as an avatar of so many frames may have: the head of the network asks
        nothing of their number, so that what it learned on few holds for many."""
        if not self.sizes.local:
            return self.points
        uv = int((MOST_GAUSSIANS / frames) ** 0.5) // UV_STEP * UV_STEP
        wanted = min(max(uv, self.sizes.points_uv), DENSEST * self.sizes.points_uv)
        return head_points(self.sizes.tokens_uv, wanted).to(self.points.waves.device)

    def gaussians(
        self, sources: Views, capacity: int = CAPACITY, points: HeadPoints | None = None
    ) -> tuple[FrameGaussians, Views]:
        """Gaussians of each of the frames that stay whole, `capacity` at most, and these frames;
        on the points that training has, or on others."""
        check_head(sources.head, "FastAvatar")
        points = points or self.points
        whole, rest = chosen_frames(sources, capacity)
        views = sources[whole]
        features = self.features(views)
        packed = None
        if rest:
            further = sources[rest]
            packed = self.transformer.packed(self.features(further)[-1], further)
        tokens = self.transformer(features[-1], views, points, packed, self.run)
        local = LocalFeatures(views, features[:-1]) if self.sizes.local else None
        return self.head(tokens, points, views, local), views

    def features(self, views: Views) -> list[Tensor]:
        """Features [F, C_l, ., .] of the views' pictures; tokens are made of the last."""
        size = self.sizes.size
        planes = views.pictures.movedim(-1, 1)
        if planes.shape[-1] != size:
            way = "area" if planes.shape[-1] > size else "bilinear"
            planes = interpolate(planes, size=(size, size), mode=way)
        if self.encoder is None:
            from ..feedforward.encoders import frozen_features

            return frozen_features("dinov2-vitl14-reg", planes[:, :3])
        return self.encoder(planes)

    def loss(self, sources: Views, targets: Views, step: float) -> tuple[Tensor, dict[str, float]]:
        """Equation 10 on the targets, of one frame's Gaussians and of several frames' fused."""
        count = len(sources)
        packs = count > 2 and float(torch.rand(())) < PACKED_SHARE
        gaussians, whole = self.gaussians(sources, count - 1 if packs else CAPACITY)
        background = random_backgrounds(targets)
        truth = over(targets.pictures[..., :3], targets.pictures[..., 3:], background)
        terms: dict[str, Tensor] = {}
        for chosen in drawn_slices(len(gaussians.raw)):
            if not chosen:
                continue
            some = gaussians.of(chosen)
            avatar = masked(sources.head, self.points, some, drawn_masks(some.standing))
            colors, alphas, _ = render(avatar, targets)
            for name, term in photometric(over(colors, alphas, background), truth).items():
                terms[name] = terms[name] + term if name in terms else term
        terms["track"] = tracking_loss(gaussians, self.points, whole)
        terms["mask"] = keep_probability(gaussians.standing).mean()
        terms["offset"] = offset_size(gaussians)
        return weighted(terms, WEIGHTS)
