"""Checksums of head files: whether one is still what was added."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..api.errors import HeadError
from ..api.head_library import read_card


def check_added(path: str | Path) -> None:
    """Raises HeadError when a head of the user's folder is no longer the file that was added."""
    card = read_card(Path(path))
    if card is not None and card.sha256 and card.sha256 != digest(Path(path)):
        raise HeadError(
            f"{Path(path).name} is not the file that was added: its checksum differs.",
            "Add the head again.",
        )


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    result = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            result.update(block)
    return result.hexdigest()
