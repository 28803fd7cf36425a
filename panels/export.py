"""Avatars to other programs. Draws only."""

from __future__ import annotations

import bpy

from ..operators.export import (
    LIKENESS_OT_export_avatar,
    LIKENESS_OT_export_glb,
    LIKENESS_OT_export_ply,
)


class LIKENESS_PT_export(bpy.types.Panel):
    """Files that leave Blender."""

    bl_idname = "LIKENESS_PT_export"
    bl_label = "Export"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 60
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator(LIKENESS_OT_export_avatar.bl_idname, text="Avatar (.likeness)")
        column.operator(LIKENESS_OT_export_ply.bl_idname, text="Gaussians (.ply)")
        column.operator(LIKENESS_OT_export_glb.bl_idname, text="Gaussians (.glb)")


classes = (LIKENESS_PT_export,)
