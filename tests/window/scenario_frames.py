"""An animation by Ctrl-F12 in the window, and the same by `blender -b`, of every *.blend given."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import bpy
import inside

ENABLE = (
    "import bpy; bpy.ops.extensions.package_install_files(filepath={!r}, repo='user_default', "
    "enable_on_install=True)"
)


def scenario() -> Iterator[float]:
    inside.install_extension()
    archive = next(inside.FOLDER.glob("*.zip"))
    seconds = inside.facts["seconds"] = {}
    for file in sorted(inside.FOLDER.glob("*.blend")):
        bpy.ops.wm.open_mainfile(filepath=str(file))
        yield from inside.drawn()
        start = time.monotonic()
        yield from animate(f"{inside.FOLDER}/{file.stem}_window_")
        seconds[f"{file.stem}_window"] = time.monotonic() - start
        start = time.monotonic()
        command = ["blender", "-b", "--factory-startup", "--python-expr"]
        command += [ENABLE.format(str(archive)), str(file)]
        command += ["-o", f"{inside.FOLDER}/{file.stem}_background_####", "-a"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        seconds[f"{file.stem}_background"] = time.monotonic() - start


def animate(path: str) -> Iterator[float]:
    """Ctrl-F12, to the end."""
    scene = bpy.context.scene
    scene.render.filepath = path
    done: list[bool] = []
    bpy.app.handlers.render_complete.append(lambda *_: done.append(True))
    with inside.in_viewport():
        bpy.ops.render.render("INVOKE_DEFAULT", animation=True)
    while not done:
        yield 1.0
    bpy.app.handlers.render_complete.clear()
