"""Tracked clips kept in the user's folder: the next preset starts from them, and a fit that was
interrupted, by the end of Blender too, goes on. No bpy."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

KEPT_SECONDS = 24 * 3600.0
"""A tracked minute takes some 400 MB of disk."""


def clips_folder(folder: Path, footage: Path) -> Path:
    """`folder` for tracked clips, made if need be, without those of other footage that are older
    than a day."""
    folder.mkdir(parents=True, exist_ok=True)
    oldest = time.time() - KEPT_SECONDS
    for clip in folder.iterdir():
        if clip.name != footage.stem and clip.stat().st_mtime < oldest:
            shutil.rmtree(clip, ignore_errors=True)
    return folder
