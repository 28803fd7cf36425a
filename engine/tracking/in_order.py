"""Work on a stream of items in several threads at once, a few items ahead of who takes the results.

OpenCV, NumPy and our kernels let other threads run while they compute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

WORKERS = 2
# Frames whose Jacobians fit into a core's cache.
CHUNK = 16
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[Result, None, None]:
    """work(item) of each item, in the items' order. Few are begun before their turn, so memory is
    bounded; an error is raised in its turn. Nothing runs any more once the iterator is closed.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def in_chunks(work: Callable[[slice], Result], count: int) -> list[Result]:
    """work(part) of the parts of `count` items that do not depend on each other, in order."""
    parts = [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
    # A stream solves one frame at a time, for which threads would take longer to start.
    return list(in_order(work, parts)) if len(parts) > 1 else [work(part) for part in parts]
