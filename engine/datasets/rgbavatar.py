"""RGBAvatar and GaussianBlendshapes: `checkpoint/*.frame`, `images/*.png` with alpha."""

from __future__ import annotations

from pathlib import Path

from .flame_track import FlameTrack
from .metrical import CHECKPOINT, has_frames, named, read_frames


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return has_frames(folder / CHECKPOINT) and (folder / "images").is_dir()


def read(folder: Path) -> FlameTrack:
    """The tracked frames. Raises TrackingError."""
    images = folder / "images"
    return read_frames("RGBAvatar", folder / CHECKPOINT, lambda stem: named(images, stem))
