"""The heads that there are, and which one the next avatar gets. Draws only."""

from __future__ import annotations

import bpy

from ..blender_addon import heads
from ..operators.heads import (
    LIKENESS_OT_add_head,
    LIKENESS_OT_choose_head,
    LIKENESS_OT_download_head,
)
from .text import draw_text


class LIKENESS_PT_heads(bpy.types.Panel):
    """Head models under the avatars."""

    bl_idname = "LIKENESS_PT_heads"
    bl_label = "Heads"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 70
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        found = heads.cards()
        column = self.layout.column(align=True)
        self._row(column, context, heads.BUILTIN)
        for card in found:
            self._row(column, context, card.name)
        for card in found:
            if card.name == context.scene.likeness_head:
                words = f"{card.licence}. {card.vertices} vertices, {card.bytes / 1e6:.0f} MB"
                draw_text(self.layout, words, "INFO")
        column = self.layout.column(align=True)
        column.operator(LIKENESS_OT_add_head.bl_idname, icon="ADD")
        for key, words in heads.LICENCES.items():
            label = f"Download {words.split(',')[0]}"
            column.operator(
                LIKENESS_OT_download_head.bl_idname, text=label, icon="IMPORT"
            ).key = key

    @staticmethod
    def _row(column: bpy.types.UILayout, context: bpy.types.Context, name: str) -> None:
        chosen = context.scene.likeness_head == name
        icon = "RADIOBUT_ON" if chosen else "RADIOBUT_OFF"
        column.operator(
            LIKENESS_OT_choose_head.bl_idname, text=name, icon=icon, depress=chosen
        ).name = name


classes = (LIKENESS_PT_heads,)
