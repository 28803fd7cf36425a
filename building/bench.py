"""The benchmarks."""

from __future__ import annotations


def write() -> None:
    """Placeholder."""
    raise NotImplementedError
