"""The extension: staged, validated and zipped with Blender's own tool."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .environments import set_up_blender
from .shell import BLENDERS, ROOT, VERSION, BuildError, run, say

DIST = ROOT / "dist"
PACKAGES = ("blender_addon", "engine", "operators", "panels")
MANIFEST = "blender_manifest.toml"
# pyproject.toml and constraints.txt let the installed extension make the engine's environment.
STAGED_FILES = (MANIFEST, "LICENSE", "pyproject.toml", "constraints.txt", "docs/manual.md")
ENTRY = '''"""Likeness: animatable heads from footage."""

from .blender_addon.registration import register, unregister
'''


def package() -> Path:
    """Write dist/likeness-VERSION.zip. Raises BuildError when Blender's tool rejects it."""
    tool = _extension_tool()
    DIST.mkdir(exist_ok=True)
    archive = DIST / f"likeness-{VERSION}.zip"
    with tempfile.TemporaryDirectory(dir=DIST) as scratch:
        made = Path(scratch) / archive.name
        stage = _stage(Path(scratch) / "likeness")
        run(*tool, "build", f"--source-dir={stage}", f"--output-filepath={made}", quiet=True)
        run(*tool, "validate", made, quiet=True)
        os.replace(made, archive)
    say(f"{archive.relative_to(ROOT)}: {archive.stat().st_size / 1024:.0f} KiB, valid")
    return archive


def _stage(stage: Path) -> Path:
    """The extension as a folder: four packages, manifest, manual, and an entry of one line."""
    # The sample clip belongs to the demo and the tests.
    skip = shutil.ignore_patterns("__pycache__", "*.pyc", MANIFEST, "sample")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, stage / name, ignore=skip)
    shutil.copy(ROOT / "blender_addon" / MANIFEST, stage / MANIFEST)
    (stage / "docs").mkdir()
    for name in STAGED_FILES[1:]:
        shutil.copy(ROOT / name, stage / name)
    (stage / "__init__.py").write_text(ENTRY, "utf-8")
    return stage


def _extension_tool() -> list[str | Path]:
    """The command of Blender's extension tool, which lies inside every Blender module."""
    for version in reversed(BLENDERS):
        python = set_up_blender(version)
        tools = python.parent.parent.glob("**/bl_pkg/cli/blender_ext.py") if python else ()
        for tool in tools:
            return [python or "", tool]
    raise BuildError("Packaging needs a Blender module: run `python build.py setup` first.")
