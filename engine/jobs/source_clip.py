"""The tracked clip of a request: given, kept from before, or made of the footage now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.errors import LikenessError
from ..api.requests import ReconstructRequest, changed
from ..api.settings import TrackSettings
from ..progress import Report
from .tracking import track_clip
from .work_folder import CLIP

if TYPE_CHECKING:
    from ..clip import TrackedClip


def source_clip(
    request: ReconstructRequest, work: Path, report: Report, tell: Callable[[str], None]
) -> TrackedClip:
    """The clip to fit. Without a folder named in the request, footage is tracked into `work`.

    `tell` hears in one line why an earlier clip is not used.
    """
    from ..clip import TrackedClip, is_clip

    sources = [Path(source) for source in (request.source, *request.more_sources)]
    if any(is_clip(source) for source in sources):
        if len(sources) > 1:
            raise LikenessError(
                "A tracked clip cannot be joined with other footage.",
                "Give the videos themselves; they are tracked together.",
            )
        return TrackedClip.load(sources[0])
    settings = changed(TrackSettings(), request.track)
    if request.size:
        settings = replace(settings, size=request.size)
    kept = Path(request.clip) if request.clip else work / CLIP
    if is_clip(kept):
        fault = _fault(kept, sources, settings)
        if not fault:
            return TrackedClip.load(kept)
        tell(f"Tracking afresh: {fault}.")
    return track_clip(sources, kept, settings, report)


def clip_digest(clip: TrackedClip) -> str:
    """What tells one tracked clip from another: its files' bytes, its many pictures' sizes."""
    digest = hashlib.sha256()
    for name in ("clip.json", "head.npz", "tracking.npz"):
        digest.update((clip.directory / name).read_bytes())
    for path in sorted((clip.directory / "frames").iterdir()):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    return digest.hexdigest()


def _fault(kept: Path, sources: Sequence[Path], settings: TrackSettings) -> str:
    """What speaks against a kept clip; nothing when it was made from this very footage with these
    settings."""
    from ..clip import TrackedClip
    from ..datasets.layouts import source_digest

    try:
        info = TrackedClip.load(kept).info
    except LikenessError:
        return "the tracked clip kept from before is damaged"
    origin = info.get("source", {})
    digests = [file.get("sha256") for file in origin.get("files", [origin])]
    if digests != [source_digest(source, settings.retrack) for source in sources]:
        return "the clip kept from before was made of other footage"
    if info.get("settings") != asdict(settings):
        return "the clip kept from before was tracked with other settings"
    return ""
