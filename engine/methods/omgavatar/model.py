"""OMG-Avatar (paper 004): one picture -> Gaussians on the vertices of the head.

Vertices ask the picture's tokens at level 0 alone; their answers are subdivided, joined with what
each vertex sees of the picture where nothing hides it, and turned into Gaussians. Several pictures
may be given: their tokens are asked together, their local features averaged over who sees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...api.baked import Binding
from ...rasterize import rasterize
from ..feedforward.layers import CrossBlock, Mlp, quiet_start
from ..feedforward.method import FeedForward
from ..feedforward.picture_losses import photometric, weighted
from ..feedforward.projection import project, sample, skull_poses, visible
from ..feedforward.surface import SurfaceMaps, surface_maps
from ..feedforward.topology import check_head
from ..feedforward.views import Views
from .avatar import OMGRegressed, Refiner
from .encoder import CompactEncoder, PaperEncoder, Seen
from .gaussian_networks import Attributes
from .settings import LEVELS, SIZES
from .shoulders import Shoulders
from .vertices import HeadVertices

REACH = 0.01
"""Metres that the network may move a vertex (the code's 0.05 of a FLAME five times as large)."""
TOLERANCE = 0.004
"""Metres behind the depth buffer at which a vertex is still seen: a test of linear depths."""
LEVEL_0_UNTIL, LEVEL_1_UNTIL = 0.1, 0.3
"""Shares of the training (8.2)."""
LEVEL_SHARES = (0.1, 0.2, 0.7)
"""How often each level is trained after that."""
WEIGHTS = {
    "l1": 1.0, "l2": 1.0, "ssim": 0.2, "perceptual": 0.1, "refined_l1": 1.0, "refined_ssim": 0.2,
    "refined_perceptual": 0.1, "offsets": 0.1, "alpha": 0.2,
}  # fmt: skip
"""Of the loss's terms (eq. 12, whose numbers the text at hand lacks)."""


class _Looks(NamedTuple):
    """What n vertices see of V pictures, means over those who see them."""

    features: Tensor  # [n, width], 0 where nobody does
    colours: Tensor  # [n, 3]
    trust: Tensor  # [n] 0..1


class OMGAvatar(FeedForward):
    """One source view, or a few."""

    def __init__(self, config: str) -> None:
        super().__init__(config)
        self.sizes = sizes = SIZES[config]
        self.vertices = HeadVertices(LEVELS)
        self.encoder = PaperEncoder(sizes) if sizes.memory else CompactEncoder(sizes)
        self.queries = nn.Parameter(0.02 * torch.randn(self.vertices.counts[0], sizes.width))
        self.attention = nn.ModuleList(
            CrossBlock(sizes.width, sizes.heads, self.encoder.memory) for _ in range(sizes.layers)
        )
        self.offset = Mlp(sizes.width, sizes.hidden, 3)
        quiet_start(self.offset.leave)
        self.grow = nn.ModuleList(Mlp(sizes.width, sizes.width) for _ in range(LEVELS - 1))
        self.gaussians = nn.ModuleList(
            Attributes(sizes.width, sizes.hidden, sizes.channels) for _ in range(LEVELS)
        )
        self.shoulders = Shoulders(sizes.width, sizes.hidden, sizes.channels)
        self.refiner = Refiner(sizes.channels, sizes.refiner) if sizes.refiner else None

    def forward(self, sources: Views) -> OMGRegressed:
        """The avatar at the finest level. Raises HeadError for a head of another topology."""
        return self.at_level(sources, LEVELS - 1)

    def at_level(self, sources: Views, level: int) -> OMGRegressed:
        """The avatar of the person in the views, subdivided `level` times."""
        check_head(sources.head, "OMG-Avatar")
        seen = self._seen(sources)
        rows, columns = seen.local.shape[-2:]
        maps = surface_maps(sources.vertices, sources.head.faces, sources.cameras, rows, columns)
        answers = self._answers(seen)
        offsets = REACH * self.offset(answers).float().tanh()
        for number in range(1, level + 1):  # eq. 3
            answers = self.grow[number - 1](self.vertices.grown(answers, number))
        moved = self._grown(offsets, level)
        looks = self._looks(sources, seen, maps, moved, level)
        fused = answers + looks.features  # eq. 6
        spacing = self.vertices.spacing(level)
        raw, features = self.gaussians[level](fused, spacing, looks.colours, looks.trust)
        binding = self.vertices.bindings[level]
        raw = torch.cat([_in_neutral_frames(moved, binding, sources), raw], dim=-1)
        plane = self.shoulders(seen.local[:1], sources, maps)
        if plane is not None:  # eq. 11
            binding = _joined(binding, plane.binding)
            raw, features = torch.cat([raw, plane.raw]), torch.cat([features, plane.features])
        return OMGRegressed(sources.head, binding, raw, features, offsets)

    def loss(self, sources: Views, targets: Views, step: float) -> tuple[Tensor, dict[str, float]]:
        """Equation 12 on the targets, at the level that this part of the training is for."""
        avatar = self.at_level(sources, _level(step))
        image, alphas = self.drawn(avatar, targets)
        truth = targets.pictures[..., :3]
        terms = photometric(image[..., :3], truth)
        terms["l2"] = (image[..., :3] - truth).square().mean()
        terms["alpha"] = (alphas - targets.pictures[..., 3:]).abs().mean()
        terms["offsets"] = (avatar.offsets / REACH).square().mean()
        if self.refiner is not None:
            refined = photometric(self.run(self.refiner, image), truth)
            terms |= {f"refined_{name}": term for name, term in refined.items()}
        return weighted(terms, WEIGHTS)

    def drawn(self, avatar: OMGRegressed, views: Views) -> tuple[Tensor, Tensor]:
        """All channels [V, H, W, channels] on black, and alphas [V, H, W, 1]. In float32."""
        with torch.autocast(views.pictures.device.type, enabled=False):
            gaussians = avatar.carried_features(views.codes.float(), views.vertices.float())
            floats = type(gaussians)(*(field.float() for field in gaussians))
            image, alphas, _ = rasterize(floats, views.cameras)
        return image, alphas

    def final(self, avatar: OMGRegressed, views: Views) -> Tensor:
        """Pictures [V, H, W, 3] as the refiner finishes them; the coarse ones without one."""
        image, _ = self.drawn(avatar, views)
        return image[..., :3] if self.refiner is None else self.refiner(image)

    def _seen(self, sources: Views) -> Seen:
        """Tokens and local features of the source pictures."""
        planes = sources.pictures.movedim(-1, 1)
        side = (self.sizes.size, self.sizes.size)
        mode = "area" if self.sizes.size < planes.shape[-1] else "bilinear"
        planes = planes if planes.shape[-2:] == side else interpolate(planes, size=side, mode=mode)
        if isinstance(self.encoder, CompactEncoder):
            return self.run(self.encoder, planes)
        from ..feedforward.encoders import frozen_features

        return self.run(self.encoder, frozen_features("dinov2-vitb14", planes[:, :3]))

    def _answers(self, seen: Seen) -> Tensor:
        """Global features [n0, width]: every vertex asks the tokens of all pictures."""
        tokens = seen.tokens.flatten(0, 1)[None]
        answers = self.queries[None]
        for block in self.attention:
            answers = self.run(block, answers, tokens)
        return answers[0]

    def _grown(self, offsets: Tensor, level: int) -> Tensor:
        """Offsets [n, 3] of a level's vertices, of those of level 0."""
        for number in range(1, level + 1):
            offsets = self.vertices.grown(offsets, number)
        return offsets

    def _looks(
        self, sources: Views, seen: Seen, maps: SurfaceMaps, moved: Tensor, level: int
    ) -> _Looks:
        """Equations 4 and 5: local features where each vertex falls, if nothing hides it."""
        width, height = sources.cameras.width, sources.cameras.height
        turn = skull_poses(sources.head, sources.vertices)[:, :3, :3]
        places = self.vertices.places(sources.vertices, level) + moved @ turn.mT
        pixels, depths = project(places, sources.cameras.viewmats, sources.cameras.Ks)
        mask = visible(pixels, depths, maps.buffer, width, height, TOLERANCE).float()  # [V, n]
        pictures = sources.pictures.movedim(-1, 1)
        local = sample(seen.local.float(), pixels, width, height)
        colours = sample(pictures, pixels.detach(), width, height)
        mask = mask * (colours[..., 3] > 0.5)
        share = (mask / mask.sum(0).clamp_min(1))[..., None]
        straight = colours[..., :3] / colours[..., 3:].clamp_min(1e-3)
        return _Looks(
            (share * local).sum(0), (share * straight).sum(0), mask.amax(0).to(local.dtype)
        )


def _level(step: float) -> int:
    """The level to train, coarse to fine (8.2)."""
    if step < LEVEL_0_UNTIL:
        return 0
    if step < LEVEL_1_UNTIL:
        return 1
    return int(torch.multinomial(torch.tensor(LEVEL_SHARES), 1))


def _in_neutral_frames(offsets: Tensor, binding: Binding, views: Views) -> Tensor:
    """Head-space offsets [n, 3] in the tangent frames [n, 3] of the neutral head."""
    frame, _ = binding.frames(views.head.faces, views.head.vertices)
    return torch.einsum("nji,nj->ni", torch.from_numpy(frame).to(offsets), offsets)


def _joined(first: Binding, second: Binding) -> Binding:
    """The Gaussians of two bindings on one head, one after the other."""
    return Binding(
        np.concatenate([first.face, second.face]),
        np.concatenate([first.barycentric, second.barycentric]),
        np.concatenate([first.tangent, second.tangent]),
    )
