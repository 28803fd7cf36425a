"""FastGHA (paper 003): a few posed pictures -> per-pixel Gaussians that a network deforms."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..feedforward.method import FeedForward, render
from ..feedforward.picture_losses import depth_error, photometric, silhouette, weighted
from ..feedforward.projection import head_cameras, plucker_rays
from ..feedforward.surface import surface_maps
from ..feedforward.topology import check_head
from ..feedforward.views import Views
from .avatar import DeformedAvatar
from .backbone import CompactBackbone, PaperBackbone
from .deformation import Deformation
from .pixels import pixel_gaussians
from .settings import EXPRESSION_CODE, SIZES

PATCH = 8
"""Pixels of a token's side."""
FINEST = 2
"""Pictures larger than the network's get attribute maps up to this much larger than it."""
WEIGHTS = {"l1": 1.0, "ssim": 1.0, "perceptual": 0.5, "silhouette": 1.0, "geometry": 0.5}
"""Of the loss's terms (eq. 8)."""


class FastGHA(FeedForward):
    """Any number of views, in any order; the paper trains with four."""

    def __init__(self, config: str) -> None:
        super().__init__(config)
        self.sizes = SIZES[config]
        backbone = PaperBackbone if self.sizes.dino else CompactBackbone
        self.backbone = backbone(self.sizes)
        self.deformation = Deformation(
            self.sizes.feature, EXPRESSION_CODE, self.sizes.hidden, self.sizes.hidden_layers
        )

    def begin(self) -> None:
        """The paper's decoder starts from SD-Turbo's (A.1). Raises ModelError without its file."""
        if isinstance(self.backbone, PaperBackbone):
            from ..feedforward.encoders import decoder_weights

            self.backbone.decoder.take_over(decoder_weights("sd-turbo-vae"))

    def forward(self, sources: Views) -> DeformedAvatar:
        """The avatar of the person in the views. Raises TrackingError for a view without the
        head, HeadError for a head of another topology than the built-in one's."""
        check_head(sources.head, "FastGHA")
        attributes = self.attributes(sources).float()
        side = int(np.clip(sources.cameras.height, self.sizes.size, FINEST * self.sizes.size))
        if side != self.sizes.size:
            attributes = interpolate(attributes, size=(side, side), mode="bilinear")
        picture = _resized(sources.pictures, side)
        maps = surface_maps(sources.vertices, sources.head.faces, sources.cameras, side, side)
        gaussians = pixel_gaussians(
            attributes, self._first_colors(picture), picture[:, 3], maps, sources
        )
        return DeformedAvatar(sources.head, *gaussians, self.deformation)

    def attributes(self, sources: Views) -> Tensor:
        """Attribute maps [V, 12 + feature, S, S] of the views."""
        cells = self.sizes.size // PATCH
        cameras = sources.cameras
        rays = plucker_rays(
            head_cameras(sources), cameras.Ks, cameras.width, cameras.height, cells, cells
        )
        picture = _resized(sources.pictures, self.sizes.size)
        if isinstance(self.backbone, CompactBackbone):
            return self.backbone(picture, rays, self.run)
        return self.backbone(*self._frozen(picture[:, :3]), rays, self.run)

    def loss(self, sources: Views, targets: Views, step: float) -> tuple[Tensor, dict[str, float]]:
        """Equation 8 on the targets. Where their depths are not known, the tracked mesh's skin
        stands in (the paper aligns VGGT's depths to the mesh)."""
        image, alphas, depths = render(self(sources), targets)
        terms = photometric(image, targets.pictures[..., :3])
        terms["silhouette"] = silhouette(alphas, targets)
        truth = skin_depths(targets) if targets.depths is None else targets.depths
        terms["geometry"] = depth_error(depths, alphas, truth)
        return weighted(terms, WEIGHTS)

    def _first_colors(self, picture: Tensor) -> Tensor:
        """What the network's colours [V, 3, h, w] are added to: the pixels' own, or grey."""
        if isinstance(self.backbone, PaperBackbone):
            return torch.full_like(picture[:, :3], 0.5)
        return picture[:, :3] / picture[:, 3:].clamp_min(1e-3)

    def _frozen(self, pictures: Tensor) -> tuple[list[Tensor], Tensor]:
        """DINOv3's layers and SD-Turbo's latent picture of pictures [V, 3, 512, 512]."""
        from ..feedforward.encoders import frozen_features

        dino = frozen_features("dinov3-vitl16", pictures)
        return dino, frozen_features("sd-turbo-vae", pictures)[0]


def skin_depths(views: Views) -> Tensor:
    """Depths [V, H, W] of the mesh where a picture shows its bare skin, 0 elsewhere: hair and
    clothes stand off it."""
    height, width = views.pictures.shape[1:3]
    maps = surface_maps(views.vertices, views.head.faces, views.cameras, height, width)
    names = views.head.region_names
    region = torch.from_numpy(np.asarray(views.head.face_regions, np.int64)).to(maps.face.device)
    skin = [index for index, name in enumerate(names) if name == "skin"]
    shown = torch.isin(region[maps.face], torch.tensor(skin, device=maps.face.device))
    return torch.where(maps.covered & shown, maps.depth, 0.0)


def _resized(pictures: Tensor, side: int) -> Tensor:
    """Pictures [V, H, W, 4] as planes [V, 4, side, side]."""
    planes = pictures.movedim(-1, 1)
    if planes.shape[-1] == side:
        return planes
    smaller = side < planes.shape[-1]
    return interpolate(planes, size=(side, side), mode="area" if smaller else "bilinear")
