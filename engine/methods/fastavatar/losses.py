"""FastAvatar's own losses (paper 002, 3.3): landmark tracking and sliced fusion."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...api.baked import MEANS, Binding
from ...binding import SurfaceBinding
from ..feedforward.projection import project
from ..feedforward.views import Views
from .gaussian_head import REACH, FrameGaussians
from .points import HeadPoints


class Slices(NamedTuple):
    """Numbers of the frames whose Gaussians are rendered."""

    single: list[int]  # one frame: g_i of eq. 4
    several: list[int]  # some, fewer than all: g_sliced of eq. 5; empty where there is one frame


def drawn_slices(frames: int) -> Slices:
    """A random frame, and a random number of random frames, fewer than all where that leaves two.

    With two frames both are taken: else nothing would ever be fused.
    """
    order = torch.randperm(frames).tolist()
    if frames == 1:
        return Slices(order, [])
    count = 2 if frames <= 3 else int(torch.randint(2, frames, ()))
    return Slices(order[:1], torch.randperm(frames).tolist()[:count])


def tracking_loss(gaussians: FrameGaussians, points: HeadPoints, views: Views) -> Tensor:
    """Equation 9: how far the Gaussians at the face's landmarks fall from where tracking saw the
    landmarks, when every frame's Gaussians move as every frame does. Mean distance in widths of the
    picture."""
    index = points.landmarks.cpu().numpy()
    whole = points.binding
    binding = Binding(whole.face[index], whole.barycentric[index], whole.tangent[index])
    surface = SurfaceBinding(binding, views.head.faces).to(gaussians.raw.device)
    means = gaussians.raw[:, points.landmarks, MEANS]  # [F, M, 3]
    frame, _, origin = surface.frames(views.vertices.float())  # of the frames moved to
    moved = (frame[:, None] @ means[None, ..., None])[..., 0] + origin[
        :, None
    ]  # [F to, F of, M, 3]
    cameras = views.cameras
    predicted, _ = project(moved.flatten(1, 2), cameras.viewmats, cameras.Ks)
    tracked, _ = project(origin, cameras.viewmats, cameras.Ks)
    distance = (predicted.view(*moved.shape[:3], 2) - tracked[:, None]).norm(dim=-1)
    return distance.mean() / cameras.width


def offset_size(gaussians: FrameGaussians) -> Tensor:
    """Mean square of the offsets in units of their reach: what no frame sees stays on the head (the
    authors' code has such a term, the paper does not name it)."""
    return (gaussians.raw[..., MEANS] / REACH).square().mean()
