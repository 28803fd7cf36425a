"""The user's heads: one folder of head files with a card each, which Blender and the engine share.

A card is a small JSON file beside the head file that says what it is, so that a list needs no heavy
packages. `engine/heads/library.py` writes them.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

MAX_CARD_BYTES = 1 << 16


@dataclass(frozen=True)
class HeadCard:
    """What a list shows of a head."""

    name: str
    licence: str
    source: str
    """A key of engine.heads.sources.SOURCES."""
    vertices: int
    expressions: int
    identities: int
    bytes: int
    sha256: str
    """Of the head file beside the card; empty for the built-in head."""
    path: str = ""
    """Of the head file; empty for the built-in head. Not stored in the card."""


def heads_folder() -> Path:
    """Where the user's heads are kept; the environment variable LIKENESS_HEADS moves it."""
    chosen = os.environ.get("LIKENESS_HEADS")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "Likeness" / "heads"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Likeness" / "heads"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "likeness" / "heads"


def write_card(card: HeadCard, head_file: Path) -> None:
    """Write the card of a head file, complete or not at all. Raises OSError."""
    stored = {name: value for name, value in asdict(card).items() if name != "path"}
    beside = head_file.with_suffix(".json.part")
    beside.write_text(json.dumps(stored, indent=1), "utf-8")
    os.replace(beside, head_file.with_suffix(".json"))


def read_card(head_file: Path) -> HeadCard | None:
    """The card beside a head file; None where there is none that can be read."""
    path = head_file.with_suffix(".json")
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            return None
        stored = json.loads(path.read_text("utf-8"))
        values = {field.name: stored[field.name] for field in fields(HeadCard)[:-1]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    kinds = {"str": str, "int": int}
    if any(not isinstance(values[f.name], kinds[str(f.type)]) for f in fields(HeadCard)[:-1]):
        return None
    return HeadCard(**values, path=str(head_file))


def list_cards(folder: Path | None = None) -> list[HeadCard]:
    """The cards of the heads in a folder (the user's), by name; a file without one is left out."""
    folder = folder or heads_folder()
    files = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    return [card for card in map(read_card, files) if card is not None]
