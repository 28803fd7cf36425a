"""What keeps an avatar whole from views that no frame shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.api.settings import RGBAvatarSettings
from engine.methods.rgbavatar import BlendshapeFit, start_fit
from engine.methods.surface_rules import DOUBT, SOLID_WEIGHT
from engine.methods.training_frames import TrainingFrames
from tests.engine.ellipsoid import EllipsoidClip, ellipsoid_head

SETTINGS = RGBAvatarSettings(uv_size=24, blendshapes=4, size=64)


def started(region: str) -> BlendshapeFit:
    """A fit of an ellipsoid that is all of one region, before any step."""
    clip = EllipsoidClip(frames=8, size=64, head=replace(ellipsoid_head(), region_names=(region,)))
    frames = TrainingFrames(clip, np.arange(8), SETTINGS.size)
    return start_fit(clip.head, frames, SETTINGS, torch.Generator().manual_seed(0))


@pytest.fixture
def fit() -> BlendshapeFit:
    return started("neck")


def test_at_the_start_only_what_skin_lets_through_costs(fit):
    through = float((1 - fit.avatar.opacities.sigmoid()).mean())
    assert float(fit.rules.cost(fit.avatar)) == pytest.approx(SOLID_WEIGHT * through, rel=1e-4)


@pytest.mark.parametrize("name", ["means", "scales", "opacities", "colors"])
def test_what_drifted_is_drawn_back(fit, name):
    values = getattr(fit.avatar, name)
    drift = -0.5 if name == "opacities" else 0.01  # towards transparent
    with torch.no_grad():
        values += drift
    fit.rules.cost(fit.avatar).backward()
    assert values.grad is not None
    back = -(values.grad * drift)
    assert (back <= 0).all()
    assert (back < 0).any()


def test_colours_are_guessed_where_a_round_part_turns_away(fit):
    corners = fit.avatar.head.vertices[fit.avatar.head.faces[fit.avatar.binding.face]]
    forward = torch.from_numpy(corners.mean(1)[:, 2])  # z points out of the face
    side = forward.abs() < 0.2 * forward.max()
    assert float(fit.rules.guessed[forward > 0.8 * forward.max()].max()) < 0.3
    assert float(fit.rules.guessed[side].mean()) > 0.6
    # The face is not round.
    assert float(started("skin").rules.guessed.max()) == pytest.approx(DOUBT)
