"""Sizes of FastAvatar's Large Gaussian Reconstruction Transformer: the paper's (002, Table 3) and
ours."""

from __future__ import annotations

from dataclasses import dataclass

EXPRESSION_CODE, POSE_CODE = 48, 3
"""Numbers of the built-in head's code: face, then neck."""
CAPACITY = 16
"""Frames that take part whole; what is beyond is packed (paper 002, 4.5)."""
OVERLAP = 4
"""Frames that two windows of a stream share (paper 002, D)."""


@dataclass(frozen=True)
class FastAvatarSizes:
    """One configuration."""

    size: int
    """Pictures are read at size x size pixels."""
    width: int
    """Of every token."""
    heads: int
    pairs: int
    """Of a global and a frame attention layer."""
    tokens_uv: int
    """Point tokens are the texels of a UV raster of this size ..."""
    points_uv: int
    """... and Gaussians those of a raster of this size, which read the tokens near them."""
    hidden: int
    """Units of the Gaussian head's hidden layer."""
    local: bool
    """Whether Gaussians also read the picture where they fall in it. The paper leaves all of that
    to attention, which takes days of training to learn."""
    frozen: int = 0
    """Channels of frozen DINOv2 features; 0: our own encoder instead."""


SIZES = {
    "compact": FastAvatarSizes(128, 128, 4, 3, tokens_uv=22, points_uv=80, hidden=96, local=True),
    # 21 k Gaussians for each frame, as in Table 2.
    "paper": FastAvatarSizes(
        504, 1024, 16, 10, tokens_uv=142, points_uv=142, hidden=512, local=False, frozen=1024
    ),
}
