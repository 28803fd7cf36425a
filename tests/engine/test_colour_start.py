"""First and last colours of what lips hide: guessed while they are closed, seen when they open."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.api.baked import COLORS, OPACITY, SCALES
from engine.api.head import HeadParams
from engine.avatar import FittedAvatar, drive
from engine.binding import covering
from engine.gaussians import Cameras, Gaussians
from engine.heads.builtin import builtin_head
from engine.methods.colour_start import SOLID_LOGIT, finish_unseen, shown, start_colours
from engine.methods.feedforward.regressed import RegressedAvatar
from engine.methods.region_priors import INSIDE, TINTS, RegionPriors, region_priors
from engine.methods.training_frames import FrameSlots
from engine.rasterize import rasterize
from tests.engine.painted_person import DISTANCE, painted_camera

SIZE, UV, FRAMES = 192, 96, 3
SKIN, GREEN = (0.7, 0.5, 0.4), (0.1, 0.8, 0.1)
LIPS = 0.0
"""Opacity logit of lips that let through what is behind them; fitted ones have 0.7 to 1."""


class Still(FittedAvatar):
    """Gaussians that nothing moves but their triangles."""

    def gaussians(self, driver: Tensor | None, vertices: Tensor) -> Gaussians:
        return self.world(self.raw_base().expand(len(vertices), -1, -1), vertices)


class Filmed(FrameSlots):
    """Frames of a skin-coloured head, all green behind its lips, its jaw opened by `jaw`."""

    def __init__(self, jaw: float) -> None:
        super().__init__(painted_camera(SIZE), SIZE, torch.device("cpu"))
        head = builtin_head()
        params = HeadParams.neutral(len(head.expression_names), 1)
        params.expression[:, head.expression_names.index("jawOpen")] = jaw
        params.translation[:] = [0, 0.05, -DISTANCE]
        params.rotation[:, 0] = 0.2  # the lips before the camera
        code, vertices = drive(head, params)
        self.codes, self.vertices = code.expand(FRAMES, -1), vertices.expand(FRAMES, -1, -1)
        binding, spacing = covering(head, UV, 3)
        raw = torch.zeros(len(spacing), 14)
        raw[:, 3], raw[:, OPACITY] = 1, 4
        raw[:, SCALES] = torch.from_numpy(np.log(0.7 * spacing))[:, None]
        inside = torch.from_numpy(region_priors(head, binding).inside)[:, None]
        raw[:, COLORS] = torch.where(inside, torch.tensor(GREEN), torch.tensor(SKIN))
        cameras = Cameras(self.viewmat[None], self.K[None], SIZE, SIZE)
        truth = RegressedAvatar(head, binding, raw).carried(code, vertices)
        with torch.no_grad():
            image, alpha, _ = rasterize(truth, cameras)
        full = (torch.cat([image, alpha], -1).clamp(0, 1) * 255).round().to(torch.uint8)
        half = full.float().unfold(1, 2, 2).unfold(2, 2, 2).mean((-1, -2)).to(torch.uint8)
        self._pictures = SimpleNamespace(
            read=lambda numbers, small: (half if small else full).expand(FRAMES, -1, -1, -1)[
                numbers
            ]
        )

    def __len__(self) -> int:
        return FRAMES


@pytest.fixture
def avatar() -> FittedAvatar:
    binding, spacing = covering(builtin_head(), UV, 3)
    return Still(builtin_head(), binding, 0.7 * spacing)


@pytest.fixture
def priors(avatar: FittedAvatar) -> RegionPriors:
    return region_priors(avatar.head, avatar.binding)


def regions(avatar: FittedAvatar) -> np.ndarray:
    return np.array(avatar.head.region_names)[avatar.head.face_regions[avatar.binding.face]]


def test_behind_closed_lips_the_mouth_is_dark_and_teeth_are_teeth(
    avatar: FittedAvatar, priors: RegionPriors
) -> None:
    guessed = start_colours(avatar, Filmed(0.0), priors)
    for name in INSIDE:
        mine = regions(avatar) == name
        tint = torch.tensor(TINTS[name])
        assert ((avatar.colors[mine] - tint).abs().amax(-1) < 0.05).float().mean() > 0.9, name
        assert guessed[mine].median() > 0.8, name


def test_closed_lips_show_nothing_however_much_they_let_through(
    avatar: FittedAvatar, priors: RegionPriors
) -> None:
    frames, anything = Filmed(0.0), np.zeros_like(priors.inside)
    with torch.no_grad():
        avatar.opacities.fill_(LIPS)
    let_through = shown(avatar, frames, anything).total[priors.inside].sum()
    assert let_through > 1
    assert shown(avatar, frames, priors.inside).total[priors.inside].sum() < 0.1 * let_through


def test_in_an_open_mouth_colours_are_those_of_the_footage(
    avatar: FittedAvatar, priors: RegionPriors
) -> None:
    guessed = start_colours(avatar, Filmed(0.9), priors)
    seen = torch.from_numpy(priors.inside) & (guessed < 0.8)
    assert seen.sum() > 100
    assert avatar.colors[seen][:, 1].median() > 0.6  # green


def test_what_lips_let_through_is_forgotten_at_the_end(
    avatar: FittedAvatar, priors: RegionPriors
) -> None:
    frames = Filmed(0.0)
    start_colours(avatar, frames, priors)
    inside = torch.from_numpy(priors.inside)
    with torch.no_grad():
        avatar.colors[inside] = torch.tensor(SKIN)  # a fit teaches it so through the lips
        avatar.opacities[inside] = -3.0
    finish_unseen(avatar, frames, priors)
    lining = torch.from_numpy(regions(avatar) == "mouth")
    assert (avatar.colors[lining] - torch.tensor(TINTS["mouth"])).abs().median() < 0.05
    assert avatar.opacities[inside].median() > 0.7 * SOLID_LOGIT
