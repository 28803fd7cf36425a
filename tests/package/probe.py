"""Runs in a Blender module: installs the archive, asks the engine through it, writes what it found.

usage: python probe.py EXTENSION.zip ENGINE_PYTHON ANSWER.json
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.likeness"


def hello(python: str) -> dict:
    """The engine's answer to `hello`, or the last thing it said within a minute."""
    bridge = importlib.import_module(f"{MODULE}.blender_addon.bridge")
    engine = bridge.Engine(python)
    engine.start()
    try:
        engine.send("hello")
        deadline = time.monotonic() + 60
        events: list[dict] = []
        while time.monotonic() < deadline and not events:
            events = engine.poll()
            time.sleep(0.05)
        return events[-1] if events else {"event": "silence"}
    finally:
        engine.close()


def operators() -> list[str]:
    return sorted(set(dir(bpy.ops.likeness)))


def main(archive: str, python: str, answer: Path) -> None:
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )
    found: dict[str, object] = {
        "enabled": MODULE in bpy.context.preferences.addons,
        "operators": operators(),
        "hello": hello(python),
    }
    bpy.ops.preferences.addon_disable(module=MODULE)
    found["operators_after_disabling"] = operators()
    answer.write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.stdout.flush()
    os._exit(0)
