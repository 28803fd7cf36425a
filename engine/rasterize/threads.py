"""Kernels on all threads: they share out the work by a counter, and share nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernels")


def run(kernel: Any, *arguments: object) -> None:
    """Call `kernel(counter, *arguments)` once on each of torch's threads and wait for all."""
    counter = np.zeros(1, np.int64)
    others = torch.get_num_threads() - 1
    waiting = [_pool(others).submit(kernel, counter, *arguments) for _ in range(others)]
    kernel(counter, *arguments)
    for one in waiting:
        one.result()
