"""Streaming (paper 002, D): an avatar that grows better with every frame that arrives."""

from __future__ import annotations

import torch
from torch import Tensor

from ...api.errors import LikenessError
from ..feedforward.regressed import RegressedAvatar
from ..feedforward.views import Views
from .fusion import fused, kept
from .gaussian_head import FrameGaussians
from .model import FastAvatar
from .settings import CAPACITY, OVERLAP

MOST_GAUSSIANS = 120_000
"""Of the fused avatar: beyond it the least important go, so that a stream may last for ever."""


class AvatarStream:
    """Windows of CAPACITY frames that overlap by OVERLAP. New frames are registered against the
    last ones seen, and these are regressed again with the new ones beside them."""

    def __init__(self, model: FastAvatar, most_gaussians: int = MOST_GAUSSIANS) -> None:
        self.model = model.eval()
        self.points = model.denser_points(OVERLAP)
        self.most_gaussians = most_gaussians
        self.recent: list[Views] = []  # the overlap, one frame each
        self.found: list[FrameGaussians] = []  # of every frame so far, one each

    @torch.no_grad()
    def add(self, frames: Views) -> RegressedAvatar:
        """The avatar of all frames so far and these. Raises LikenessError for no frames."""
        if not len(frames):
            raise LikenessError("There is no frame to add.", "Give at least one.")
        waiting = [frames[i : i + 1] for i in range(len(frames))]
        while waiting:
            room = CAPACITY - len(self.recent)
            self._window(waiting[:room])
            waiting = waiting[room:]
        return self.avatar(frames)

    def _window(self, new: list[Views]) -> None:
        """Regress the overlap and the new frames together; the overlap's Gaussians are replaced."""
        window = self.recent + new
        gaussians, _ = self.model.gaussians(joined(window), points=self.points)
        again = len(self.recent)
        self.found = self.found[: len(self.found) - again] if again else self.found
        self.found += [gaussians.of([index]) for index in range(len(window))]
        self.recent = window[-OVERLAP:]

    def avatar(self, frames: Views) -> RegressedAvatar:
        """All frames' Gaussians fused, the unimportant left out."""
        gaussians = FrameGaussians(*(torch.cat(field) for field in zip(*self.found, strict=True)))
        staying = within_budget(gaussians.standing, self.most_gaussians)
        return fused(frames.head, self.points, gaussians, staying)


def within_budget(importance: Tensor, most: int) -> Tensor:
    """Which Gaussians [F, N] stay: those worth it, and of them the `most` important."""
    staying = kept(importance)
    if int(staying.sum()) <= most:
        return staying
    least = importance[staying].sort(descending=True).values[most - 1]
    return staying & (importance >= least)


def joined(views: list[Views]) -> Views:
    """Views of one person, one after the other."""
    first = views[0]
    cameras = first.cameras._replace(
        viewmats=torch.cat([one.cameras.viewmats for one in views]),
        Ks=torch.cat([one.cameras.Ks for one in views]),
    )
    return Views(
        pictures=torch.cat([one.pictures for one in views]),
        cameras=cameras,
        codes=torch.cat([one.codes for one in views]),
        vertices=torch.cat([one.vertices for one in views]),
        depths=None,
        head=first.head,
    )
