"""The demo."""

from __future__ import annotations

from pathlib import Path


def make(video: Path | None, out: Path) -> None:
    """Placeholder."""
    raise NotImplementedError(video, out)
