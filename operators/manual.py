"""Read the manual, and other texts, in Blender's own Text Editor."""

from __future__ import annotations

from pathlib import Path

import bpy

from .explained import Explained

MANUAL = Path(__file__).parents[1] / "docs" / "manual.md"


def show_text(context: bpy.types.Context, path: Path) -> None:
    """A text file in a window of its own, where there are windows. No part of the user's file."""
    loaded = (text for text in bpy.data.texts if Path(bpy.path.abspath(text.filepath)) == path)
    text = next(loaded, None)
    if text is not None:
        bpy.data.texts.remove(text)  # the file may have changed
    text = bpy.data.texts.load(str(path))
    text.use_fake_user = False
    if bpy.app.background:
        return
    bpy.ops.wm.window_new()
    area = context.window_manager.windows[-1].screen.areas[0]
    area.ui_type = "TEXT_EDITOR"
    space = area.spaces.active
    space.text, space.show_word_wrap, space.show_line_numbers = text, True, False


class LIKENESS_OT_open_manual(Explained, bpy.types.Operator):
    """Read how to film, create, animate, render and export, and what each message means"""

    bl_idname = "likeness.open_manual"
    bl_label = "Likeness Manual"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if MANUAL.is_file() else f"There is no manual at {MANUAL}"

    def execute(self, context: bpy.types.Context) -> set[str]:
        show_text(context, MANUAL)
        return {"FINISHED"}


classes = (LIKENESS_OT_open_manual,)
