"""The avatar engine's work, seen from Blender: one app timer polls, the main thread applies.

One job at a time: making an avatar, or setting the engine up. What panels show of it is the window
manager's `likeness` properties. The engine process is kept for the next job.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..engine.api.avatar_file import read_avatar
from ..engine.api.errors import LikenessError
from . import animation, avatar_object, character, environment, footage_report, importing, job_words
from .bridge import Engine
from .heads import chosen_path
from .kept_clips import clips_folder
from .preferences import EXTENSION, preferences

POLL_SECONDS = 0.2


@dataclass
class _Work:
    """The job under way. Blender's references die with undo, so the avatar is kept by its uid."""

    scene: str
    request: int = 0
    set_up: environment.SetUp | None = None
    avatar_uid: int = 0  # session_uid of the proxy head that previews go to
    preview_path: str = ""
    preview: str = ""  # path that waits to be shown
    result: str = ""
    use: Callable[[str], None] | None = None  # takes the result's path; None shows an avatar


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
    global _work
    settings = context.scene.likeness
    footage = Path(bpy.path.abspath(settings.footage))
    if not footage.exists():
        raise LikenessError(f"There is no footage at {footage}.", "Choose it again.")
    engine = _running_engine(context)
    folder = user_folder() / "avatars"
    folder.mkdir(parents=True, exist_ok=True)
    clips = clips_folder(user_folder() / "clips", footage)
    output = _unused_path(folder, footage.stem)
    _begin(context, "Starting the avatar engine")
    _work.preview_path = str(output.with_name(f"{output.stem} preview.likeness"))
    _work.request = engine.send(
        "reconstruct",
        source=str(footage),
        output=str(output),
        preview=_work.preview_path,
        clip=str(clips / footage.stem),
        track={"head": chosen_path(context.scene)},
        method=settings.method,
        preset=settings.preset,
        device=preferences(context).device,
    )


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


def set_up_engine(context: bpy.types.Context) -> None:
    """Start making the engine's environment. Raises LikenessError."""
    folder = engine_folder()
    steps = environment.set_up_steps(folder, environment.find_interpreter())
    run = environment.SetUp(folder, steps)
    run.start()
    _begin(context, steps[0].label)
    _work.set_up = run


def cancel() -> None:
    """Ask the job under way to stop; it has stopped when the `running` property is False."""
    if _work is None:
        return
    if _work.set_up is not None:
        _work.set_up.cancel()
    elif _engine is not None:
        _engine.cancel(_work.request)
        bpy.context.window_manager.likeness.stage = "Stopping"


def close() -> None:
    """End the engine process and forget the job; for unregistering and for a new file."""
    global _engine, _work
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _work is not None and _work.set_up is not None:
        _work.set_up.cancel()
    if _engine is not None:
        _engine.close()
    _engine = _work = None
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
    _work = _Work(scene=context.scene.name)
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
    if _work.set_up is not None:
        _follow_set_up(job, _work.set_up.poll())
    else:
        for event in _engine.poll():
            if _work is not None and event["id"] == _work.request:
                _follow(job, event)
        _show_waiting(job)


def _follow_set_up(job: bpy.types.PropertyGroup, state: environment.State) -> None:
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
    elif kind == "preview":
        _work.preview = event["path"]
    elif kind == "report":
        footage_report.take(event)
    elif kind == "notice":
        job.notice = str(event.get("message", ""))
    elif kind == "result":
        _work.result = event["path"]
        job.notice = job_words.quality_text(event)
    elif kind == "cancelled":
        job.notice = ""
        _end(job, "")
    elif kind == "error":
        _end(job, f"{event.get('message', '')} {event.get('hint', '')}".strip())


def _show_waiting(job: bpy.types.PropertyGroup) -> None:
    """Show what has arrived. In Edit or Sculpt Mode it waits: the user is not thrown out of it."""
    if _work is None or not (_work.preview or _work.result):
        return
    if _work.result and bpy.context.mode == "EDIT_MESH":
        job.stage = "The avatar is ready and waits for Object Mode"
    if bpy.context.mode not in {"OBJECT", "POSE"}:
        return
    path, final = _work.result or _work.preview, bool(_work.result)
    _work.preview = _work.result = ""
    try:
        if _work.use is not None:
            _work.use(path)
        else:
            _show(path, final)
    except LikenessError as error:
        _end(job, str(error))
        return
    if final:
        _end(job, "")


def _show(path: str, final: bool) -> None:
    """Put the avatar of a file in the place of its last preview, or into the scene."""
    avatar = read_avatar(path)
    windows = bpy.context.window_manager.windows
    window = {"window": windows[0]} if windows else {}
    with bpy.context.temp_override(**window):
        proxy = _find_avatar(_work.avatar_uid)
        if proxy is not None and character.can_replace(proxy, avatar):
            character.replace(proxy, avatar)
            animation.refresh_performance(bpy.context.scene, proxy)
        else:
            if bpy.context.mode != "OBJECT":
                bpy.ops.object.mode_set(mode="OBJECT")
            if proxy is not None:
                character.remove(proxy)
            match = bpy.context.scene.likeness.match_scene
            proxy = importing.add(bpy.context, avatar, performance=True, match_scene=match)
            _work.avatar_uid = proxy.session_uid
        if final:
            bpy.ops.ed.undo_push(message="Create Avatar")


def _find_avatar(uid: int) -> bpy.types.Object | None:
    objects = (obj for obj in bpy.data.objects if obj.session_uid == uid)
    obj = next(objects, None)
    return obj if obj is not None and avatar_object.is_avatar(obj) else None


def _end(job: bpy.types.PropertyGroup, error: str) -> None:
    global _work
    if _work is not None and _work.preview_path:
        Path(_work.preview_path).unlink(missing_ok=True)
    _work = None
    job.running, job.error, job.seconds_left = False, error, -1.0


def _unused_path(folder: Path, stem: str) -> Path:
    """A file name in the folder that nothing has yet."""
    stem = re.sub(r"[^\w -]", "_", stem) or "avatar"
    names = (f"{stem}.likeness", *(f"{stem} {n}.likeness" for n in range(2, 10_000)))
    return next(folder / name for name in names if not (folder / name).exists())


def _redraw_sidebars() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()
