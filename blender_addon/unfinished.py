"""What Create Avatar was asked and has not finished: kept in the user's folder, so that it can be
gone on with after a cancel, a crash, or the end of Blender. No bpy."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

from .kept_clips import KEPT_SECONDS

FILE = "unfinished.json"
AVATARS = "avatars"
"""The folder of finished avatars, in the user's folder."""
WORK = ".{stem}.unfinished"
"""The engine's folder beside the output (engine/jobs/work_folder.py)."""


class Unfinished(NamedTuple):
    """An avatar to go on with."""

    request: dict[str, Any]  # a ReconstructRequest's fields

    @property
    def label(self) -> str:
        """Its footage and preset, for people."""
        return f"{Path(self.request['source']).name}, {self.request['preset']}"


def keep(folder: Path, request: dict[str, Any]) -> None:
    """Remember the request; the user's `folder` exists. Raises OSError."""
    part = folder / f"{FILE}.part"
    part.write_text(json.dumps(request), "utf-8")
    part.replace(folder / FILE)


def find(folder: Path) -> Unfinished | None:
    """What can be gone on with; None when all is finished, nothing was learned, or the footage is
    gone."""
    try:
        request = json.loads((folder / FILE).read_text("utf-8"))
        paths = [_work(folder, request), Path(request.get("clip") or folder / FILE / "none")]
        footage = Path(request["source"]).exists() and isinstance(request["preset"], str)
        return Unfinished(request) if footage and any(map(Path.exists, paths)) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def finish(folder: Path) -> None:
    """The avatar is done."""
    (folder / FILE).unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Forget the request and remove what its fit has learned so far."""
    found = find(folder)
    if found is not None:
        shutil.rmtree(_work(folder, found.request), ignore_errors=True)
    finish(folder)


def sweep(avatars: Path) -> None:
    """Remove unfinished work that is older than a day."""
    oldest = time.time() - KEPT_SECONDS
    for work in avatars.glob(WORK.format(stem="*")):
        if work.stat().st_mtime < oldest:
            shutil.rmtree(work, ignore_errors=True)


def _work(folder: Path, request: dict[str, Any]) -> Path:
    """The engine's work on a request; always among the user's avatars, whatever the file says."""
    return folder / AVATARS / WORK.format(stem=Path(request["output"]).stem)
