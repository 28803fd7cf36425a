"""FlashAvatar: `imgs/`, `alpha/`, `parsing/`, and metrical-tracker's output in another folder.

Image 00001 belongs to frame 00000: the tracker counts from nought and the images from one.
"""

from __future__ import annotations

from pathlib import Path

from ..api.errors import TrackingError
from .flame_track import FlameTrack, one_of
from .metrical import CHECKPOINT, has_frames, named, read_frames

FIRST_IMAGE = 1


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / "imgs").is_dir() and (folder / "alpha").is_dir()


def read(folder: Path) -> FlameTrack:
    """The tracked frames. Raises TrackingError."""
    parsing = folder / "parsing"
    return read_frames(
        "FlashAvatar",
        _checkpoint(folder),
        lambda stem: named(folder / "imgs", _number(stem)),
        lambda stem: named(folder / "alpha", _number(stem)),
        (lambda stem: one_of(parsing, [f"{_number(stem)}_neckhead.png"], "The mask"))
        if parsing.is_dir()
        else None,
    )


def _number(stem: str) -> str:
    """The image's name of a tracked frame's."""
    if not stem.isdigit():
        raise TrackingError(f"{stem}.frame has no number for a name.", "Keep the tracker's names.")
    return str(int(stem) + FIRST_IMAGE).zfill(len(stem))


def _checkpoint(folder: Path) -> Path:
    """Beside the images, or where FlashAvatar's instructions put it."""
    output = Path("metrical-tracker") / "output" / folder.name
    for start in (folder, folder.parent / output, folder.parent.parent / output):
        if has_frames(start / CHECKPOINT):
            return start / CHECKPOINT
    raise TrackingError(
        f"The tracked frames of {folder.name} are not there.",
        f"Expected {folder.parent.parent / output / CHECKPOINT}, or a checkpoint folder beside "
        "imgs.",
    )
