"""What few avatars need: more clips, shoulders, data sets, live footage, limits. Draws only."""

from __future__ import annotations

import bpy

from ..operators.clips import LIKENESS_OT_add_clips, LIKENESS_OT_remove_clip


class LIKENESS_PT_creation(bpy.types.Panel):
    """How footage is read, tracked and learned from."""

    bl_idname = "LIKENESS_PT_creation"
    bl_label = "Options"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_parent_id = "LIKENESS_PT_create"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not context.window_manager.likeness.running

    def draw(self, context: bpy.types.Context) -> None:
        layout, more = self.layout, context.scene.likeness_creation
        column = layout.column(align=True)
        for index, clip in enumerate(more.clips):
            row = column.row(align=True)
            row.prop(clip, "path", text="")
            row.operator(LIKENESS_OT_remove_clip.bl_idname, text="", icon="X").index = index
        column.operator(LIKENESS_OT_add_clips.bl_idname, icon="ADD")
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.row().prop(more, "shoulders", expand=True)
        layout.prop(more, "matting", text="Matting")
        layout.prop(more, "limit")
        layout.prop(more, "consent")
        column = layout.column(heading="Data Set")
        column.prop(more, "retrack")
        column.prop(more, "data_camera", text="Camera")
        column = layout.column(heading="Live")
        column.prop(more, "live")
        timing = column.column()
        timing.active = more.live
        timing.prop(more, "live_seconds")
        timing.prop(more, "polish_seconds")


classes = (LIKENESS_PT_creation,)
