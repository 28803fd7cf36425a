"""The tracking job: footage to the folder of a tracked clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.errors import LikenessError, TrackingError
from ..api.messages import Message
from ..api.requests import TrackRequest, changed
from ..api.settings import SHOULDERS, TrackSettings
from ..progress import ProgressEvents, Report, span

if TYPE_CHECKING:
    from ..clip import TrackedClip
    from ..datasets.layouts import Layout

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


IMPORT_STAGES = {"reading": (0.0, 0.3), "pictures": (0.3, 1.0)}


def track(request: TrackRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Footage to a tracked clip. Raises FootageError, TrackingError and Cancelled."""
    started = time.monotonic()
    settings = changed(TrackSettings(), request.settings)
    bar: Report = ProgressEvents(emit)
    sources: list[str | Path] = [request.source, *request.more_sources]
    from ..recording import is_camera, record

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
    check_shoulders(settings.shoulders)
    report("Starting the tracker", 0.0)
    sources, layout = _data_set(sources, settings.retrack)
    if layout is not None:
        return _imported(Path(sources[0]), layout, Path(output), settings, report)
    from ..tracking import track as track_footage

    def staged(stage: str, fraction: float) -> None:
        low, high = STAGES[stage]
        report(f"Tracking: {stage}", low + (high - low) * min(fraction, 1.0))

    return track_footage(sources, output, settings, staged)


def _data_set(
    sources: Sequence[str | Path], retrack: bool
) -> tuple[Sequence[str | Path], Layout | None]:
    """The layout of a tracked data set; none for footage, nor where its images are wanted alone."""
    from ..datasets.layouts import layout_of

    layouts = [layout_of(source) for source in sources]
    found = next((layout for layout in layouts if layout is not None), None)
    if found is None:
        return sources, None
    if len(sources) > 1:
        raise TrackingError(
            "A tracked data set cannot be mixed with other clips.", "Give it alone."
        )
    if retrack:
        return [found.footage(Path(sources[0]))], None
    return sources, found


def _imported(
    folder: Path, layout: Layout, output: Path, settings: TrackSettings, report: Report
) -> TrackedClip:
    from ..datasets.flame_clip import import_clip

    def staged(stage: str, fraction: float) -> None:
        low, high = IMPORT_STAGES[stage]
        report(f"Importing {layout.label}: {stage}", low + (high - low) * fraction)

    return import_clip(folder, layout, output, settings, staged)


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


def check_shoulders(choice: str) -> None:
    """Raise LikenessError unless it is a choice that the matte knows."""
    if choice not in SHOULDERS:
        known = ", ".join(SHOULDERS)
        raise LikenessError(f"There is no '{choice}' for shoulders.", f"Known: {known}.")


def check_size(size: int) -> None:
    """Raise LikenessError unless images of this size can be worked with."""
    if not SIZES[0] <= size <= SIZES[1]:
        raise LikenessError(
            f"A size of {size} pixels is not possible.", f"Give {SIZES[0]} to {SIZES[1]}."
        )
