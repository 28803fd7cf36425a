"""What no picture shows, completed from what they do show."""

from __future__ import annotations

import numpy as np
import pytest

from engine.api.baked import COLORS
from engine.levels import places
from engine.methods.regression.completion import completed, recoloured, surface_of
from engine.methods.regression.sheet import THIRD, in_sheet
from tests.engine.plain_avatars import plain

SKIN, DARK, BLOND = (0.6, 0.45, 0.35), (0.15, 0.1, 0.08), (0.75, 0.62, 0.4)


def test_the_mirror_image_lends_detail_but_not_its_light() -> None:
    surface = surface_of(plain())
    x, y, _ = surface.place.T
    detail = 0.1 * np.sin(200 * y) * (np.abs(x) > 0.02)
    truth = np.repeat((0.5 + detail + 1.0 * x)[:, None], 3, 1)  # brighter on the left
    face = np.isin(surface.names, ("skin", "ears"))
    trust = np.where((x > -0.01) & (surface.names != "teeth"), 1.0, 0.0)
    found = completed(surface, np.where(trust[:, None] > 0, truth, 0), trust)
    hidden = face & (trust == 0)
    wanted = truth[hidden, 0] - truth[hidden, 0].mean()
    got = found[hidden, 0] - found[hidden, 0].mean()
    assert np.corrcoef(got, detail[hidden])[0, 1] > 0.8
    mirrored = np.abs(truth[surface.mirror][hidden, 0] - truth[hidden, 0]).mean()
    assert np.abs(got - wanted).mean() < mirrored
    teeth = found[surface.names == "teeth"]
    assert teeth.min() > 0.2  # a closed mouth has teeth, not holes
    assert np.ptp(teeth, axis=0).max() < 0.1


@pytest.mark.parametrize("hair", [DARK, BLOND, SKIN])
def test_the_back_of_the_head_has_the_hair_of_its_top(hair: tuple[float, ...]) -> None:
    """From the front most of what is seen of the scalp is forehead and temples."""
    avatar = plain(96)
    x, y, z = places(avatar.head, avatar.binding).T
    names = np.array(avatar.head.region_names)[avatar.head.face_regions[avatar.binding.face]]
    scalp, seen = names == "scalp", z > -0.02
    top = scalp & (y > np.percentile(y[scalp], 72))
    assert (scalp & seen & ~top).sum() > (scalp & seen & top).sum()
    colours = np.where(top[:, None], hair, SKIN)
    found = recoloured(avatar, surface_of(avatar), colours, seen.astype(float)).base[:, COLORS]
    back = scalp & (z < -0.06)
    assert back.sum() > 50
    np.testing.assert_allclose(np.median(found[back], axis=0), hair, atol=0.05)


def test_hair_that_stands_off_the_top_is_the_hair_of_the_back() -> None:
    """A sheet hides the top, of which the pictures then show nothing."""
    avatar = plain(96)
    _, y, z = places(avatar.head, avatar.binding).T
    names = np.array(avatar.head.region_names)[avatar.head.face_regions[avatar.binding.face]]
    scalp, seen = names == "scalp", z > -0.02
    top = scalp & (y > np.percentile(y[scalp], 75)) & seen
    avatar.binding.barycentric[np.flatnonzero(top)[::2]] = THIRD
    sheet = in_sheet(avatar.binding)
    colours = np.where(sheet[:, None], DARK, SKIN)
    trust = (seen & ~(top & ~sheet)).astype(float)
    found = recoloured(avatar, surface_of(avatar), colours, trust).base[:, COLORS]
    np.testing.assert_allclose(np.median(found[scalp & (z < -0.06)], axis=0), DARK, atol=0.05)


def test_shine_is_not_the_colour_of_hair() -> None:
    avatar = plain()
    _, y, z = places(avatar.head, avatar.binding).T
    names = np.array(avatar.head.region_names)[avatar.head.face_regions[avatar.binding.face]]
    scalp, seen = names == "scalp", z > -0.02
    colours = np.where(scalp[:, None], DARK, SKIN)
    shiny = scalp & (y > np.percentile(y[scalp], 72)) & (np.arange(len(y)) % 5 < 2)
    colours[shiny] = 0.9
    found = recoloured(avatar, surface_of(avatar), colours, seen.astype(float)).base[:, COLORS]
    np.testing.assert_allclose(found[scalp & (z < -0.08)].mean(0), DARK, atol=0.06)
