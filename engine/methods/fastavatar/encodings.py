"""What labels a frame's tokens (paper 002 eq. 2): camera, expression and pose, each a token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..feedforward.layers import Mlp
from ..feedforward.projection import head_cameras
from ..feedforward.views import Views
from .settings import EXPRESSION_CODE, POSE_CODE

CAMERA = 16
"""Head-to-camera motion 12, focal lengths 2, principal point 2."""


class Encodings(nn.Module):
    """Three two-layer networks with GELU, as in Table 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.camera = Mlp(CAMERA, width, width)
        self.expression = Mlp(EXPRESSION_CODE, width, width)
        self.pose = Mlp(POSE_CODE, width, width)

    def forward(self, views: Views) -> Tensor:
        """Tokens [F, 3, D]."""
        expression, pose = views.codes.split([EXPRESSION_CODE, POSE_CODE], dim=-1)
        tokens = self.camera(camera_numbers(views)), self.expression(expression), self.pose(pose)
        return torch.stack(tokens, dim=1)


def camera_numbers(views: Views) -> Tensor:
    """Cameras as the skull sees them [F, 16], free of the pictures' size."""
    cameras = views.cameras
    size = cameras.Ks.new_tensor([cameras.width, cameras.height])
    motion = head_cameras(views)[:, :3].flatten(1)
    focal = torch.stack([cameras.Ks[:, 0, 0], cameras.Ks[:, 1, 1]], dim=-1) / size
    return torch.cat([motion, focal, cameras.Ks[:, :2, 2] / size - 0.5], dim=-1)
