"""The two pools of a stream against what is known of them in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from engine.api.settings import OnlineSettings
from engine.methods.pools import FULL_SHARE_AFTER, GlobalPool, LocalPool, Pools


def test_the_local_pool_gives_up_its_oldest_first() -> None:
    pool = LocalPool(3)
    assert [pool.push(item) for item in range(7)] == [None, None, None, 0, 1, 2, 3]
    assert pool.items == [4, 5, 6]


def test_every_item_of_a_stream_has_the_same_chance_to_be_in_the_global_pool() -> None:
    size, stream, trials = 10, 60, 600
    random = np.random.default_rng(0)
    counts = np.zeros(stream)
    for _ in range(trials):
        pool = GlobalPool(size)
        for item in range(stream):
            pool.offer(item, random)
        counts[pool.items] += 1
    share = size / stream
    # Sampling without replacement: the statistic is chi-square with stream - 1 degrees of freedom.
    statistic = ((counts - trials * share) ** 2).sum() / (trials * share * (1 - share))
    statistic *= (stream - 1) / stream
    degrees = stream - 1
    assert abs(statistic - degrees) < 3.5 * np.sqrt(2 * degrees)


def test_an_offer_tells_what_is_held_no_longer() -> None:
    pool, random, gone = GlobalPool(5), np.random.default_rng(1), set[int]()
    for item in range(100):
        dropped = pool.offer(item, random)
        if dropped is not None:
            assert dropped not in gone
            gone.add(dropped)
    assert gone | set(pool.items) == set(range(100))


def test_what_leaves_the_local_pool_is_offered_to_the_global_one() -> None:
    pools = Pools(OnlineSettings(local_pool=4, global_pool=3), seed=0)
    dropped = [pools.add(item) for item in range(7)]
    assert dropped == [None] * 7
    assert pools.local.items == [3, 4, 5, 6]
    assert pools.historic.items == [0, 1, 2]
    assert pools.add(7) in {0, 1, 2, 3}
    assert len(pools) == pools.capacity == 7


def test_a_frame_that_comes_late_passes_the_local_pool_by() -> None:
    pools = Pools(OnlineSettings(local_pool=2, global_pool=5), seed=0)
    pools.add(1)
    pools.add(2, recent=False)
    assert pools.local.items == [1]
    assert pools.historic.items == [2]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (OnlineSettings(), 0.3),
        (OnlineSettings(global_share=0.7), 0.7),
        (OnlineSettings(local_pool=0), 1.0),
        (OnlineSettings(global_pool=0), 0.0),
    ],
)
def test_the_past_is_drawn_as_often_as_the_share_says(
    settings: OnlineSettings, expected: float
) -> None:
    pools = Pools(settings, seed=0)
    for item in range(400):
        pools.add(item)
    old = set(pools.historic.items)
    drawn = [item for _ in range(1000) for item in pools.draw(4)]
    assert np.mean([item in old for item in drawn]) == pytest.approx(expected, abs=0.03)


def test_the_ramped_share_grows_to_its_most_with_the_frames_of_the_past() -> None:
    pools = Pools(OnlineSettings(local_pool=10, global_share=0.7, ramped=True), seed=0)
    shares = []
    for item in range(10 + 2 * FULL_SHARE_AFTER):
        pools.add(item)
        shares.append(pools.global_share)
    assert shares[9] == 0
    assert shares[9 + FULL_SHARE_AFTER // 2] == pytest.approx(0.35)
    assert shares[-1] == 0.7
    assert np.all(np.diff(shares) >= 0)


def test_newness_draws_the_newest_frames_more_often() -> None:
    pools = Pools(OnlineSettings(local_pool=100, global_pool=0, newness=1.0), seed=0)
    for item in range(100):
        pools.add(item)
    counts = np.bincount([item for _ in range(5000) for item in pools.draw(4)], minlength=100)
    assert counts[-20:].sum() / counts[:20].sum() == pytest.approx(np.exp(0.8), rel=0.1)


def test_a_batch_holds_no_frame_twice_while_there_are_enough() -> None:
    pools = Pools(OnlineSettings(), seed=0)
    pools.add(5)
    assert pools.draw(4) == [5] * 4
    for item in range(6, 12):
        pools.add(item)
    assert all(len(set(pools.draw(4))) == 4 for _ in range(50))
