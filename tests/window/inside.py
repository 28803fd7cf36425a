"""The part of a window test inside Blender: `blender --python inside.py -- FOLDER SCENARIO`.

A scenario is a file with `scenario()`, a generator: what it does between two yields happens in
one timer call, and it yields the seconds to leave to Blender for drawing. FOLDER receives what it
saw: frame buffers as NAME.xwd, facts.json, and error.txt with the traceback if it failed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d

sys.path.insert(0, str(Path(__file__).parent))
from xwd import read_xwd  # noqa: E402

FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
SCENARIO = Path(sys.argv[sys.argv.index("--") + 2])
SCREEN = FOLDER / "screen" / "Xvfb_screen0"
HEIGHT = 800  # pixels of the screen
facts: dict[str, object] = {}
_draws = 0


def picture(name: str) -> None:
    """Keep what the screen shows now. (`screen.screenshot` comes out black under Xvfb.)"""
    shutil.copyfile(SCREEN, FOLDER / f"{name}.xwd")


def color(point: tuple[float, float, float]) -> np.ndarray:
    """What the screen shows now [3] 0..255 at a point of the world."""
    return read_xwd(SCREEN)[pixel(point)].astype(float)


def viewport() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """The 3D viewport of the one window."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


def in_viewport() -> object:
    """A context in which operators act on the viewport."""
    window, area, region = viewport()
    return bpy.context.temp_override(window=window, area=area, region=region)


def pixel(point: tuple[float, float, float], area: bpy.types.Area | None = None) -> tuple[int, int]:
    """Row from the top and column of the screen pixel in which an area, else the first viewport,
    shows a point of the world."""
    window, first, _ = viewport()
    area = area or first
    region = next(region for region in area.regions if region.type == "WINDOW")
    place = location_3d_to_region_2d(region, area.spaces.active.region_3d, point)
    return round(window.height - 1 - region.y - place.y), round(region.x + place.x)


def drawn(times: int = 2) -> Iterator[float]:
    """Until the viewports were drawn some times, however busy the machine is.

    A picture is on the screen at the latest when the next one is being drawn: after two times the
    screen shows everything that was done before.
    """
    for _ in range(times):
        before = _draws
        while _draws == before:
            for area in bpy.context.window_manager.windows[0].screen.areas:
                area.tag_redraw()
            yield 0.05
    yield 0.1


def _count_draw() -> None:
    global _draws
    _draws += 1


def install_extension() -> None:
    """Install and enable the packaged zip, as a user who drops it on the window does."""
    archive = next(FOLDER.glob("*.zip"))
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True
    )


def finish(by_quitting: bool = False) -> None:
    """End the session: at once, or as a user who closes Blender does."""
    (FOLDER / "facts.json").write_text(json.dumps(facts))
    sys.stdout.flush()
    if by_quitting:
        bpy.ops.wm.quit_blender()  # when this timer has returned
        return
    os._exit(0)  # nothing of the session is kept, and no dialog can ask about it


def main() -> None:
    module = types.ModuleType("scenario")
    code = compile(SCENARIO.read_text(), str(SCENARIO), "exec")
    sys.modules["inside"] = sys.modules[__name__]
    exec(code, module.__dict__)
    steps = module.scenario()

    def advance() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            finish()
        except Exception:  # noqa: BLE001 -- whatever it is, the test shall show it
            (FOLDER / "error.txt").write_text(traceback.format_exc())
            picture("error")
            finish()
        return None

    bpy.context.preferences.view.show_splash = False
    bpy.types.SpaceView3D.draw_handler_add(_count_draw, (), "WINDOW", "POST_PIXEL")
    bpy.app.timers.register(advance, first_interval=1.0, persistent=True)


main()
