"""What the footage lacks, before and after the avatar has learned from it. Draws only."""

from __future__ import annotations

import bpy

from ..operators.footage_report import LIKENESS_OT_open_sheet
from .text import draw_text

ICONS = {"serious": "ERROR", "warning": "INFO", "note": "DOT"}


class LIKENESS_PT_footage_report(bpy.types.Panel):
    """What tracking found in the footage, and how to film it better."""

    bl_idname = "LIKENESS_PT_footage_report"
    bl_label = "Footage"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_parent_id = "LIKENESS_PT_create"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.window_manager.likeness_footage.told

    def draw(self, context: bpy.types.Context) -> None:
        report = context.window_manager.likeness_footage
        if not report.findings:
            self.layout.label(text="Nothing is wanting in it", icon="CHECKMARK")
        for found in report.findings:
            box = self.layout.box()
            words = found.words[:1].upper() + found.words[1:]
            draw_text(box, f"{words}.", ICONS[found.severity])
            if found.severity != "note":
                draw_text(box, found.advice, "BLANK1")
        self.layout.operator(LIKENESS_OT_open_sheet.bl_idname, icon="IMAGE_DATA")


classes = (LIKENESS_PT_footage_report,)
