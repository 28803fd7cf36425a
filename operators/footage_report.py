"""Look at the contact sheet of tracked footage."""

from __future__ import annotations

from pathlib import Path

import bpy

from .explained import Explained


class LIKENESS_OT_open_sheet(Explained, bpy.types.Operator):
    """Look at frames of the footage with their matte, and the head drawn over them"""

    bl_idname = "likeness.open_sheet"
    bl_label = "Contact Sheet"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        sheet = context.window_manager.likeness_footage.sheet
        if not sheet:
            return "No footage has been tracked"
        return "" if Path(sheet).is_file() else "The contact sheet is no longer there"

    def execute(self, context: bpy.types.Context) -> set[str]:
        image = bpy.data.images.load(
            context.window_manager.likeness_footage.sheet, check_existing=True
        )
        image.reload()
        if bpy.app.background:
            return {"FINISHED"}
        # A window of Blender's own: the picture is only a temporary file.
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.ui_type = "IMAGE_EDITOR"
        area.spaces.active.image = image
        return {"FINISHED"}


classes = (LIKENESS_OT_open_sheet,)
