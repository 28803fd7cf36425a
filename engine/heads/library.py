"""Adds heads to the user's folder: validated, converted to our file, with a card and a checksum."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ..api.errors import HeadError
from ..api.head import HeadModel
from ..api.head_library import HeadCard, heads_folder, write_card
from .builtin import builtin_head
from .checksum import digest
from .head_file import write_head
from .sources import read_any_head, source_of


def builtin_card() -> HeadCard:
    """The card of the head that is always there."""
    return _card(builtin_head(), "builtin", 0, "")


def card_of(path: str | Path) -> HeadCard:
    """The card of any head model, added or not. Raises HeadError."""
    path = Path(path)
    head = read_any_head(path)
    size = path.stat().st_size if path.is_file() else 0
    return replace(_card(head, source_of(path), size, ""), path=str(path))


def add_head(path: str | Path, folder: Path | None = None) -> HeadCard:
    """Convert the head model at `path` into the user's folder. Raises HeadError.

    An earlier head of the same name is replaced once the new one is whole.
    """
    path = Path(path)
    source = source_of(path)
    head = read_any_head(path)
    folder = folder or heads_folder()
    target = folder / f"{_file_name(head.name)}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_head(target, head)
        card = _card(head, source, target.stat().st_size, digest(target))
        write_card(card, target)
    except OSError as error:
        raise HeadError(
            f"The head cannot be kept in {folder}: {error.strerror}.",
            "Choose a folder that you may write to with LIKENESS_HEADS.",
        ) from error
    return replace(card, path=str(target))


def _card(head: HeadModel, source: str, size: int, sha256: str) -> HeadCard:
    return HeadCard(
        name=head.name,
        licence=head.licence,
        source=source,
        vertices=len(head.vertices),
        expressions=len(head.expression_names),
        identities=len(head.identity_names),
        bytes=size,
        sha256=sha256,
    )


def _file_name(name: str) -> str:
    """A file name of plain characters."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:60] or "head"
