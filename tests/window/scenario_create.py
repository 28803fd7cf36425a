"""Create Avatar with the real engine: watched to its previews, cancelled, begun again, and left by
closing Blender in the middle."""

from __future__ import annotations

import importlib
import subprocess
import time
from collections.abc import Iterator

import bpy
import inside

PACKAGE = "bl_ext.user_default.likeness"
LIMIT = 90  # seconds of learning
BEAT = 0.02  # seconds between two looks at whether the window's loop is free
PATIENCE = 1200  # seconds; the machine may be busy
_gaps: list[float] = []
_last = 0.0


def scenario() -> Iterator[float]:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    inside.install_extension()
    chosen = bpy.context.preferences.addons[PACKAGE].preferences
    chosen.engine_python = str(inside.FOLDER / "engine-python")
    bpy.context.scene.likeness.footage = str(next(inside.FOLDER.glob("*.mp4")))
    bpy.context.scene.likeness.preset = "draft"
    bpy.context.scene.likeness_creation.limit = LIMIT
    bpy.context.scene.frame_end = 77
    yield from show_tab()
    bpy.app.timers.register(beat)
    inside.facts["view"] = view()
    polls = time_polls()
    create()
    began, drawn = time.monotonic(), inside._draws
    yield from until_avatar()
    inside.facts["tracking"] = (time.monotonic() - began, inside._draws - drawn)
    yield from watch_previews(polls)
    yield from press_esc()
    create()
    yield from until_avatar()
    inside.facts["engine"] = engine_process().pid
    inside.finish(by_quitting=True)
    yield 60.0


def job() -> bpy.types.PropertyGroup:
    return bpy.context.window_manager.likeness


def show_tab() -> Iterator[float]:
    _, area, _ = inside.viewport()
    area.spaces.active.show_region_ui = True
    yield 1.0
    sidebar = next(region for region in area.regions if region.type == "UI")
    sidebar.active_panel_category = "Likeness"
    yield 1.0


def view() -> list[float]:
    """Where the viewport looks from."""
    region = inside.viewport()[1].spaces.active.region_3d
    return [round(value, 3) for row in region.view_matrix for value in row]


def create() -> None:
    with inside.in_viewport():
        bpy.ops.likeness.create_avatar("INVOKE_DEFAULT")


def avatars() -> list[bpy.types.Object]:
    return [obj for obj in bpy.data.objects if obj.likeness.payload is not None]


def until_avatar() -> Iterator[float]:
    """Until the first preview is in the scene."""
    began = time.monotonic()
    while not avatars() and job().running and time.monotonic() - began < PATIENCE:
        yield 0.2
    assert avatars(), f"{job().stage} {job().error}"


def watch_previews(polls: list[float]) -> Iterator[float]:
    """Until the avatar has been refreshed and its PSNR is known; a picture then."""
    first = seen = avatars()[0].likeness.payload.name_full
    began, refreshed = time.monotonic(), 0
    _gaps.clear()
    while job().running and time.monotonic() - began < PATIENCE:
        if refreshed and job().stage.endswith(" dB"):
            break
        yield 0.2
        now = avatars()[0].likeness.payload.name_full
        refreshed, seen = refreshed + (now != seen), now
    yield from inside.drawn()
    inside.picture("creating")
    inside.facts |= {
        "refreshed": refreshed,
        "first": first,
        "stage": job().stage,
        "progress": job().progress,
        "seconds_left": job().seconds_left,
        "icon": part("thumbnail").icon(),
        "longest_gap": max(_gaps),
        "longest_poll": max(polls),
        "polls": len(polls),
    }


def press_esc() -> Iterator[float]:
    """A real key press over the viewport; how long until nothing of the job is left."""
    window, area, region = inside.viewport()
    x, y = region.x + region.width // 3, window.height - region.y - region.height // 2
    began = time.monotonic()
    command = ["xdotool", "mousemove", str(x), str(y), "sleep", "0.3", "key", "Escape"]
    subprocess.run(command, check=True, timeout=20)
    while job().running and time.monotonic() - began < PATIENCE:
        yield 0.1
    scene, user = bpy.context.scene, part("jobs").user_folder()
    inside.facts["cancelled"] = {
        "seconds": time.monotonic() - began,
        "running": job().running,
        "error": job().error,
        "objects": len(bpy.data.objects),
        "meshes": sum(mesh.users > 0 for mesh in bpy.data.meshes),
        "frame_end": scene.frame_end,
        "scenes": len(bpy.data.scenes),
        "view": view(),
        "files": sorted(path.name for path in (user / "avatars").iterdir()),
    }
    yield from inside.drawn()
    inside.picture("cancelled")


def part(name: str) -> object:
    """A module of the installed extension."""
    return importlib.import_module(f"{PACKAGE}.blender_addon.{name}")


def engine_process() -> subprocess.Popen:
    return part("jobs")._engine._child.process


def beat() -> float:
    """Notes how long the window's loop did not come round."""
    global _last
    now = time.monotonic()
    if _last:
        _gaps.append(now - _last - BEAT)
    _last = now
    return BEAT


def time_polls() -> list[float]:
    """What each look at the engine costs the window, in seconds of the main thread's CPU time:
    waiting is another matter, and on a busy machine it is most of the time."""
    jobs, spent = part("jobs"), [0.0]
    poll = jobs._poll

    def timed() -> None:
        began = time.thread_time()
        poll()
        spent.append(time.thread_time() - began)

    jobs._poll = timed
    return spent
