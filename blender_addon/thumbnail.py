"""The picture of an avatar that is being made, as an icon for panels."""

from __future__ import annotations

from pathlib import Path

import bpy.utils.previews

_NAME = "avatar"
_pictures: bpy.utils.previews.ImagePreviewCollection | None = None


def show(path: str) -> None:
    """Take a picture's file, the next one in place of the last."""
    global _pictures
    clear()
    if Path(path).is_file():
        _pictures = bpy.utils.previews.new()
        _pictures.load(_NAME, path, "IMAGE")


def icon() -> int:
    """Number of the icon; 0 while there is no picture."""
    return _pictures[_NAME].icon_id if _pictures is not None else 0


def clear() -> None:
    """Forget the picture."""
    global _pictures
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None
