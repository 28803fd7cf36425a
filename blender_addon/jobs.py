"""The avatar engine's work, seen from Blender: one app timer polls, the main thread applies.

One job at a time: making an avatar, another job of the engine, or programs that set the engine up.
What panels show of it is the window manager's `likeness` properties. The engine process is kept for
the next job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..engine.api.errors import LikenessError
from . import creation, environment, footage_report, job_words, thumbnail, unfinished
from .arrival import Arrival
from .bridge import Engine
from .preferences import EXTENSION, preferences
from .programs import Programs, State

POLL_SECONDS = 0.2


@dataclass
class _Work:
    """The job under way."""

    request: int = 0  # id that the engine knows it by
    resumable: bool = False  # what was asked is kept until it is done
    programs: Programs | None = None
    arrival: Arrival | None = None  # of the avatar that the job makes
    preview: str = ""  # the file of its previews
    use: Callable[[str], None] | None = None  # takes the result's path
    result: str = ""  # path that waits to be used


_engine: Engine | None = None
_work: _Work | None = None


def user_folder() -> Path:
    """Where the extension may write: survives its updates."""
    if EXTENSION.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(EXTENSION, create=True))
    return Path(bpy.utils.user_resource("DATAFILES", path="likeness", create=True))


def engine_folder() -> Path:
    """The environment that Set Up Avatar Engine makes."""
    return user_folder() / "engine"


def engine_python(context: bpy.types.Context) -> Path | None:
    """The interpreter of the avatar engine: the user's choice, else our own, else None."""
    chosen = preferences(context).engine_python
    if chosen:
        path = Path(bpy.path.abspath(chosen))
        return path if path.is_file() else None
    folder = engine_folder()
    return environment.python_in(folder) if environment.is_complete(folder) else None


def create_avatar(context: bpy.types.Context) -> None:
    """Start making an avatar of the scene's footage. Raises LikenessError."""
    _reconstruct(context, creation.request(context, user_folder()))


def resume_avatar(context: bpy.types.Context) -> None:
    """Go on with the avatar that was not finished. Raises LikenessError."""
    found = unfinished.find(user_folder())
    if found is None:
        raise LikenessError("There is nothing to go on with.", "Press Create Avatar.")
    _reconstruct(context, found.request)


def _reconstruct(context: bpy.types.Context, request: dict[str, Any]) -> None:
    engine = _running_engine(context)
    unfinished.keep(user_folder(), request)
    _make(context, engine, "reconstruct", request)
    _work.resumable = True


def create_from_images(context: bpy.types.Context, request: dict[str, Any]) -> None:
    """Start regressing an avatar; `request` is a RegressRequest's fields. Raises LikenessError."""
    _make(context, _running_engine(context), "regress", request)


def _make(context: bpy.types.Context, engine: Engine, job: str, request: dict[str, Any]) -> None:
    """Start a job whose previews and result come into the scene."""
    _begin(context, "Starting the avatar engine")
    _work.arrival, _work.preview = Arrival(), request["preview"]
    _work.request = engine.send(job, **request)


def track(context: bpy.types.Context, footage: Path, use: Callable[[str], None]) -> None:
    """Start tracking a head in footage; `use` gets the clip's folder. Raises LikenessError."""
    if not footage.exists():
        raise LikenessError(f"There is no footage at {footage}.", "Choose it again.")
    clips = Path(bpy.app.tempdir) / "likeness"
    clips.mkdir(parents=True, exist_ok=True)
    output = str(clips / f"{footage.stem} driving")
    # Nobody sees the matte of a driving video.
    run(context, "track", use, source=str(footage), output=output, settings={"fast_matte": True})


def run(
    context: bpy.types.Context, job: str, use: Callable[[str], None], **request: object
) -> None:
    """Start a job; `use` gets its result's path once references may have died. LikenessError."""
    engine = _running_engine(context)
    _begin(context, "Starting the avatar engine")
    _work.use = use
    _work.request = engine.send(job, **request)


def run_programs(context: bpy.types.Context, programs: Programs) -> None:
    """Start programs that change the engine's environment. Raises LikenessError."""
    global _engine
    if _engine is not None:  # it lives in what they change
        _engine.close()
        _engine = None
    programs.start()
    _begin(context, programs.poll().label)
    _work.programs = programs


def cancel() -> None:
    """Ask the job under way to stop; it has stopped when the `running` property is False."""
    if _work is None:
        return
    if _work.programs is not None:
        _work.programs.cancel()
    elif _engine is not None:
        _engine.cancel(_work.request)
        bpy.context.window_manager.likeness.stage = "Stopping"


def close() -> None:
    """End the engine process and forget the job; for unregistering and for a new file."""
    global _engine, _work
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    work, _work = _work, None
    if work is not None and work.programs is not None:
        work.programs.cancel()
    if _engine is not None:
        _engine.close()
        _engine = None
    if work is not None:
        _tidy(work)
    bpy.context.window_manager.likeness.running = False


def wait(context: bpy.types.Context) -> None:
    """Run the job under way to its end; for background mode, where no timer ticks."""
    while context.window_manager.likeness.running:
        _poll()
        time.sleep(POLL_SECONDS)


def _running_engine(context: bpy.types.Context) -> Engine:
    global _engine
    python = engine_python(context)
    if python is None:
        raise LikenessError("The avatar engine is not set up.", "Press Set Up Avatar Engine.")
    if _engine is None or _engine.python != str(python):
        if _engine is not None:
            _engine.close()
        _engine = Engine(python)
    return _engine


def _begin(context: bpy.types.Context, stage: str) -> None:
    global _work
    _work = _Work()
    job = context.window_manager.likeness
    job.running, job.stage, job.progress, job.seconds_left = True, stage, 0.0, -1.0
    job.error = job.notice = ""
    footage_report.clear()
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=POLL_SECONDS)


def _tick() -> float | None:
    """The app timer: None ends it."""
    _poll()
    _redraw_sidebars()
    return POLL_SECONDS if _work is not None else None


def _poll() -> None:
    job = bpy.context.window_manager.likeness
    if _work is None:
        return
    if _work.programs is not None:
        _follow_programs(job, _work.programs.poll())
        return
    for event in _engine.poll():
        if _work is not None and event["id"] == _work.request:
            _follow(job, event)
    try:
        _show_waiting(job)
    except LikenessError as error:
        _engine.cancel(_work.request)  # nobody waits for it any more
        _end(job, str(error))


def _follow_programs(job: bpy.types.PropertyGroup, state: State) -> None:
    job.stage, job.progress = state.label, state.fraction
    if state.finished:
        _end(job, "" if state.label == "Cancelled" else state.error)


def _follow(job: bpy.types.PropertyGroup, event: dict) -> None:
    kind = event["event"]
    if kind == "progress":
        job.stage = str(event.get("stage", job.stage))
        job.progress = float(event.get("fraction") or 0.0)
        left = event.get("seconds_left")
        job.seconds_left = -1.0 if left is None else float(left)
    elif kind == "preview" and _work.arrival is not None:
        _work.arrival.offer(event["path"], final=False)
        thumbnail.show(event.get("picture", ""))
    elif kind == "report":
        footage_report.take(event)
    elif kind == "notice":
        job.notice = str(event.get("message", ""))
    elif kind == "result":
        _take_result(job, event)
    elif kind == "cancelled":
        job.notice = ""
        _end(job, "")
    elif kind == "error":
        _end(job, f"{event.get('message', '')} {event.get('hint', '')}".strip())


def _take_result(job: bpy.types.PropertyGroup, event: dict) -> None:
    job.notice = job_words.quality_text(event)
    if _work.resumable:
        unfinished.finish(user_folder())
    if _work.arrival is not None:
        _work.arrival.offer(event["path"], final=True)
    else:
        _work.result = event["path"]


def _show_waiting(job: bpy.types.PropertyGroup) -> None:
    """Show or use what has arrived. Raises LikenessError."""
    if _work is None:
        return
    arrival = _work.arrival
    if arrival is not None:
        if arrival.poll():
            _work.arrival = None  # it stays
            arrival.close()
            _end(job, "")
        elif arrival.waits:
            job.stage = "The avatar is ready and waits for Object Mode"
    elif _work.result and bpy.context.mode in {"OBJECT", "POSE"}:
        _work.use(_work.result)
        _end(job, "")


def _end(job: bpy.types.PropertyGroup, error: str) -> None:
    """The job is over. An avatar that did not arrive is taken back, preview and all."""
    global _work
    work, _work = _work, None
    if work is not None:
        if work.arrival is not None:
            work.arrival.take_back()
        _tidy(work)
    job.running, job.error, job.seconds_left = False, error, -1.0


def _tidy(work: _Work) -> None:
    """Remove what only the job under way needs."""
    thumbnail.clear()
    if work.arrival is not None:
        work.arrival.close()
    if work.preview:
        for suffix in (".likeness", ".png"):
            Path(work.preview).with_suffix(suffix).unlink(missing_ok=True)


def _redraw_sidebars() -> None:
    """Only the regions that show the job: a viewport's own drawing is slow."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            wanted = {"VIEW_3D": "UI", "PREFERENCES": "WINDOW"}.get(area.type)
            for region in area.regions:
                if region.type == wanted:
                    region.tag_redraw()
