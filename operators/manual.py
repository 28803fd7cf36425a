"""Read the manual, in Blender's own Text Editor."""

from __future__ import annotations

from pathlib import Path

import bpy

from .explained import Explained

MANUAL = Path(__file__).parents[1] / "docs" / "manual.md"


class LIKENESS_OT_open_manual(Explained, bpy.types.Operator):
    """Read how to film, create, animate, render and export, and what each message means"""

    bl_idname = "likeness.open_manual"
    bl_label = "Likeness Manual"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if MANUAL.is_file() else f"There is no manual at {MANUAL}"

    def execute(self, context: bpy.types.Context) -> set[str]:
        loaded = (
            text for text in bpy.data.texts if Path(bpy.path.abspath(text.filepath)) == MANUAL
        )
        text = next(loaded, None) or bpy.data.texts.load(str(MANUAL))
        text.use_fake_user = False  # no part of the user's file
        if bpy.app.background:
            return {"FINISHED"}
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.ui_type = "TEXT_EDITOR"
        space = area.spaces.active
        space.text, space.show_word_wrap, space.show_line_numbers = text, True, False
        return {"FINISHED"}


classes = (LIKENESS_OT_open_manual,)
