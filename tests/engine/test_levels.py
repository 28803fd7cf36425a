"""Levels of detail are even: no prefix has holes, and what never shows goes first."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.levels import level_order


def test_the_order_is_a_permutation_and_levels_halve():
    random = np.random.default_rng(0)
    order, levels = level_order(random.random((1001, 3)), random.random(1001))
    assert sorted(order) == list(range(1001))
    assert levels == (1001, 500, 250, 125)


def test_an_avatar_of_one_gaussian_has_one_level():
    order, levels = level_order(np.zeros((1, 3)), np.ones(1))
    assert list(order) == [0]
    assert levels == (1,)


def test_what_never_shows_goes_first():
    random = np.random.default_rng(1)
    shows = np.r_[np.ones(300), np.zeros(700)]
    order, levels = level_order(random.random((1000, 3)), shows)
    assert set(order[: levels[2]]) <= set(range(300))
    assert set(range(300)) <= set(order[: levels[1]])


@pytest.mark.parametrize("level", [1, 2, 3])
def test_gaps_grow_no_more_than_they_must(level):
    # One dense corner, as lips are: by importance alone the rest would be stripped bare.
    random = np.random.default_rng(2)
    places = np.c_[random.random((8000, 2)), np.zeros(8000)]
    shows = np.where(places[:, 0] < 0.3, 3.0, 1.0) * random.uniform(0.5, 1.5, 8000)
    order, levels = level_order(places, shows)
    probes = np.c_[random.random((2000, 2)), np.zeros(2000)]
    gaps = [
        np.quantile(cKDTree(places[order[: levels[n]]]).query(probes)[0], 0.99) for n in (0, level)
    ]
    assert gaps[1] < 1.5 * 2 ** (level / 2) * gaps[0]
