"""Movement that comes from outside: the footage's performance and other sources. Draws only."""

from __future__ import annotations

import bpy

from ..operators.animate import (
    LIKENESS_OT_apply_performance,
    LIKENESS_OT_clear_performance,
    LIKENESS_OT_layer_performance,
    LIKENESS_OT_match_camera,
)
from ..operators.bake import LIKENESS_OT_bake
from ..operators.retarget import (
    LIKENESS_OT_drive_from_video,
    LIKENESS_OT_import_capture,
    LIKENESS_OT_new_name_table,
)


class LIKENESS_PT_performance(bpy.types.Panel):
    """The movement recorded in the footage."""

    bl_idname = "LIKENESS_PT_performance"
    bl_label = "Performance"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 40

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        column = layout.column(align=True)
        column.operator(LIKENESS_OT_apply_performance.bl_idname, icon="ACTION").part = "ALL"
        row = column.row(align=True)
        for part, text in (("FACE", "Face Only"), ("HEAD", "Head Only")):
            row.operator(LIKENESS_OT_apply_performance.bl_idname, text=text).part = part
        column.operator(LIKENESS_OT_layer_performance.bl_idname, icon="NLA")
        column.operator(LIKENESS_OT_clear_performance.bl_idname, icon="X")
        layout.operator(LIKENESS_OT_match_camera.bl_idname, icon="VIEW_CAMERA")
        column = layout.column(align=True)
        column.operator(LIKENESS_OT_drive_from_video.bl_idname, icon="FILE_MOVIE")
        column.operator(LIKENESS_OT_import_capture.bl_idname, icon="IMPORT")
        column.operator(LIKENESS_OT_bake.bl_idname, icon="REC")
        row = layout.row(align=True)
        row.prop(context.scene.likeness, "name_table", text="Names")
        row.operator(LIKENESS_OT_new_name_table.bl_idname, text="", icon="ADD")


classes = (LIKENESS_PT_performance,)
