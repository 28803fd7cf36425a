"""The scene's avatars: list and level of detail. Draws only."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, linked, viewport
from ..operators.avatars import (
    LIKENESS_OT_convert_native,
    LIKENESS_OT_make_override,
    LIKENESS_OT_remove_avatar,
    LIKENESS_OT_remove_native,
    LIKENESS_OT_select_rig,
)
from .text import draw_text


class LIKENESS_UL_avatars(bpy.types.UIList):
    """The objects of the file that are avatars of this scene."""

    bl_idname = "LIKENESS_UL_avatars"

    def draw_item(self, context, layout, data, item, icon, active_data, active_property) -> None:
        row = layout.row(align=True)
        row.prop(item, "name", text="", emboss=False, icon="USER")
        if viewport.problem(item):
            row.label(icon="ERROR")
        row.prop(item, "hide_viewport", text="", emboss=False)
        row.prop(item, "hide_render", text="", emboss=False)

    def filter_items(self, context, data, prop) -> tuple[list[int], list[int]]:
        scene = context.scene
        shown = [
            self.bitflag_filter_item if avatar_object.is_avatar(obj) and obj.users_scene else 0
            for obj in getattr(data, prop)
            if scene is not None
        ]
        return shown, []


class LIKENESS_PT_avatars(bpy.types.Panel):
    """Which avatar the panels below are about."""

    bl_idname = "LIKENESS_PT_avatars"
    bl_label = "Avatars"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 20

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        row = layout.row()
        row.template_list(
            LIKENESS_UL_avatars.bl_idname,
            "",
            bpy.data,
            "objects",
            context.scene.likeness,
            "active",
            rows=2,
        )
        column = row.column(align=True)
        column.operator(LIKENESS_OT_select_rig.bl_idname, text="", icon="POSE_HLT")
        column.operator(LIKENESS_OT_remove_avatar.bl_idname, text="", icon="TRASH")
        avatar = avatar_object.find_avatar(context.object)
        if avatar is None:
            return
        reason = viewport.problem(avatar)
        if reason:
            draw_text(layout.box(), reason, "ERROR")
        if linked.locked_reason(avatar):
            layout.operator(LIKENESS_OT_make_override.bl_idname, icon="LIBRARY_DATA_OVERRIDE")
        row = layout.row()
        row.prop(avatar.likeness, "level", text="Level")
        row.prop(avatar.likeness, "automatic_level", toggle=True)
        layout.label(text=f"{avatar_object.shown_count(avatar):,} Gaussians")
        native = avatar_object.shows_natively(avatar)
        verb = LIKENESS_OT_remove_native if native else LIKENESS_OT_convert_native
        layout.operator(verb.bl_idname, icon="POINTCLOUD_DATA")


classes = (LIKENESS_UL_avatars, LIKENESS_PT_avatars)
