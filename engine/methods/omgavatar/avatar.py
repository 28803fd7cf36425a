"""OMG-Avatar's result: Gaussians with more channels than three, and the refiner that reads them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

from ...api.baked import Binding
from ...api.head import HeadModel
from ...gaussians import Gaussians
from ..feedforward.layers import Pyramid, PyramidDecoder, quiet_start
from ..feedforward.regressed import RegressedAvatar


class OMGRegressed(RegressedAvatar):
    """Gaussians of one level. What is baked are the first three channels, the coarse picture."""

    def __init__(
        self, head: HeadModel, binding: Binding, raw: Tensor, features: Tensor, offsets: Tensor
    ) -> None:
        """`raw` [N, 14], `features` [N, channels - 3], vertex `offsets` [n0, 3] in metres."""
        super().__init__(head, binding, raw)
        self.features = features
        self.offsets = offsets

    def carried_features(self, code: Tensor, vertices: Tensor) -> Gaussians:
        """World Gaussians [B, N] with all channels."""
        plain = self.carried(code, vertices)
        more = self.features.expand(len(code), -1, -1).to(plain.colors)
        return plain._replace(colors=torch.cat([plain.colors, more], dim=-1))


class Refiner(nn.Module):
    """A UNet from rasterised channels to the final picture (paper 004, 3.4)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        levels = (width, 2 * width, 4 * width)
        self.pyramid = Pyramid(channels, levels)
        self.decoder = PyramidDecoder(levels[-1], levels[-2::-1])
        self.out = nn.Conv2d(width + channels, 3, 3, padding=1)
        quiet_start(self.out)

    def forward(self, planes: Tensor) -> Tensor:
        """Pictures [V, H, W, 3] of planes [V, H, W, channels], coarse colours first."""
        seen = planes.movedim(-1, 1)
        levels = self.pyramid(seen)
        grown = interpolate(self.decoder(levels[-1], levels[-2::-1]), size=seen.shape[-2:])
        change = self.out(torch.cat([gelu(grown), seen], dim=1))
        return planes[..., :3] + change.movedim(1, -1)
