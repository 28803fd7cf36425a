"""The tracking job: footage to the folder of a tracked clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.requests import TrackRequest, changed
from ..api.settings import TrackSettings
from ..progress import ProgressEvents, Report, span
from ..recording import is_camera, record

if TYPE_CHECKING:
    from ..clip import TrackedClip

SIZES = (64, 2048)
FILMED = 0.2
"""Share of the progress bar that filming takes."""

# How far each stage reaches on the progress bar: shares of time on two cores at 512 pixels.
STAGES = {
    "finding the head": (0.0, 0.04),
    "cropping": (0.04, 0.06),
    "landmarks": (0.06, 0.12),
    "solving the shape": (0.12, 0.20),
    "solving the motion": (0.20, 0.48),
    "matting": (0.48, 1.0),
}


def track(request: TrackRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Footage to a tracked clip. Raises FootageError, TrackingError and Cancelled."""
    started = time.monotonic()
    settings = changed(TrackSettings(), request.settings)
    bar = ProgressEvents(emit)
    sources: list[str | Path] = [request.source, *request.more_sources]
    if is_camera(request.source):
        film = Path(request.output).absolute().with_suffix(".mp4")
        sources[0] = record(
            request.source, request.seconds, film, lambda share: bar("Filming", FILMED * share)
        )
        bar = span(bar, FILMED, 1.0)
    clip = track_clip(sources, request.output, settings, bar)
    return {
        "path": str(clip.directory),
        "frames": len(clip),
        "seconds": round(time.monotonic() - started, 1),
        "quality": clip.info.get("quality", {}),
        "warnings": clip_warnings(clip),
        "sheet": contact_sheet(clip),
    }


def track_clip(
    sources: Sequence[str | Path], output: str | Path, settings: TrackSettings, report: Report
) -> TrackedClip:
    """Track with progress in words. The folder is whole when this returns, else as it was."""
    check_size(settings.size)
    report("Starting the tracker", 0.0)
    from ..tracking import track as track_footage

    def staged(stage: str, fraction: float) -> None:
        low, high = STAGES[stage]
        report(f"Tracking: {stage}", low + (high - low) * min(fraction, 1.0))

    return track_footage(sources, output, settings, staged)


def clip_warnings(clip: TrackedClip) -> list[str]:
    """What tracking found wanting in the footage, in words."""
    return list(clip.info.get("quality", {}).get("warnings", []))


def contact_sheet(clip: TrackedClip) -> str:
    """Path of the clip's contact sheet, or nothing for a clip that was not tracked here."""
    path = clip.directory / "contact_sheet.png"
    return str(path) if path.is_file() else ""


def footage_report(clip: TrackedClip) -> Message:
    """The event that tells, before a fit, what is wanting in its footage."""
    findings = clip.info.get("quality", {}).get("findings", [])
    return {"event": "report", "findings": findings, "sheet": contact_sheet(clip)}


def check_size(size: int) -> None:
    """Raise LikenessError unless images of this size can be worked with."""
    if not SIZES[0] <= size <= SIZES[1]:
        raise LikenessError(
            f"A size of {size} pixels is not possible.", f"Give {SIZES[0]} to {SIZES[1]}."
        )
