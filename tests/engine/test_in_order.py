"""Work ahead in threads: the order, the bound on what is begun, errors, and the end."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import count, islice

import pytest

from engine.tracking.in_order import CHUNK, WORKERS, in_chunks, in_order


def test_results_keep_the_order_of_the_items_when_the_first_takes_longest() -> None:
    def slow(item: int) -> int:
        time.sleep(0.01 * (5 - item))
        return 10 * item

    assert list(in_order(slow, range(5))) == [0, 10, 20, 30, 40]


def test_an_endless_stream_is_read_only_a_few_items_ahead() -> None:
    items = count()
    with closing(in_order(abs, items)) as results:
        assert list(islice(results, 3)) == [0, 1, 2]
    assert next(items) <= 3 + 2 * WORKERS


def test_an_error_comes_in_its_turn_and_ends_the_stream() -> None:
    results = in_order(lambda item: 6 // item, [3, 2, 1, 0, 1, 2])
    assert list(islice(results, 3)) == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_nothing_is_done_any_more_once_it_is_closed() -> None:
    done = []

    def note(item: int) -> None:
        time.sleep(0.02)
        done.append(item)

    with closing(in_order(note, range(100))) as results:
        next(results)
    finished = len(done)
    assert finished <= 1 + 2 * WORKERS
    time.sleep(0.1)
    assert len(done) == finished


@pytest.mark.parametrize("count", [1, CHUNK, 3 * CHUNK + 1])
def test_chunks_cover_every_item_once(count: int) -> None:
    items = list(range(count))
    assert sum(in_chunks(lambda part: items[part], count), []) == items
