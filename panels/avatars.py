"""The scene's avatars: list, level of detail, sliders by face region, performance. Draws only."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, sliders, viewport
from ..operators.animate import (
    LIKENESS_OT_apply_performance,
    LIKENESS_OT_clear_performance,
    LIKENESS_OT_layer_performance,
    LIKENESS_OT_match_camera,
    LIKENESS_OT_reset_sliders,
)
from ..operators.avatars import LIKENESS_OT_remove_avatar, LIKENESS_OT_select_rig
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


class _Tab:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"


class LIKENESS_PT_avatars(_Tab, bpy.types.Panel):
    """Which avatar the panels below are about."""

    bl_idname = "LIKENESS_PT_avatars"
    bl_label = "Avatars"
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
        row = layout.row()
        row.prop(avatar.likeness, "level", text="Level")
        row.prop(avatar.likeness, "automatic_level", toggle=True)
        layout.label(text=f"{avatar_object.shown_count(avatar):,} Gaussians")


class LIKENESS_PT_sliders(_Tab, bpy.types.Panel):
    """The avatar's shape keys, by region of the face."""

    bl_idname = "LIKENESS_PT_sliders"
    bl_label = "Expression"
    bl_order = 30

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        avatar = avatar_object.find_avatar(context.object)
        # No poll: a panel that comes later than the others would be drawn below them.
        if avatar is None:
            layout.label(text="Select an avatar")
            return
        layout.operator(LIKENESS_OT_reset_sliders.bl_idname, text="Reset All", icon="LOOP_BACK")
        for region, label in sliders.REGIONS:
            keys = list(sliders.keys_of(avatar, region))
            if not keys:
                continue
            closed = region not in {"BROWS", "EYES", "MOUTH"}
            header, body = layout.panel(f"likeness_{region}", default_closed=closed)
            header.label(text=label)
            reset = header.operator(
                LIKENESS_OT_reset_sliders.bl_idname, text="", icon="LOOP_BACK", emboss=False
            )
            reset.region = region
            if body is None:
                continue
            column = body.column(align=True)
            for key in keys:
                column.prop(key, "value", text=sliders.label_of(key.name), slider=True)


class LIKENESS_PT_performance(_Tab, bpy.types.Panel):
    """The movement recorded in the footage."""

    bl_idname = "LIKENESS_PT_performance"
    bl_label = "Performance"
    bl_order = 40

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        column = layout.column(align=True)
        column.operator(LIKENESS_OT_apply_performance.bl_idname, icon="ACTION")
        column.operator(LIKENESS_OT_layer_performance.bl_idname, icon="NLA")
        column.operator(LIKENESS_OT_clear_performance.bl_idname, icon="X")
        layout.operator(LIKENESS_OT_match_camera.bl_idname, icon="VIEW_CAMERA")


classes = (
    LIKENESS_UL_avatars,
    LIKENESS_PT_avatars,
    LIKENESS_PT_sliders,
    LIKENESS_PT_performance,
)
