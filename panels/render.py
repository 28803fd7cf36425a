"""Render settings in the Likeness tab. Draws only."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_group, compositing
from ..operators.render import LIKENESS_OT_remove_render, LIKENESS_OT_set_up_render


class LIKENESS_PT_render(bpy.types.Panel):
    """How avatars appear in final renders."""

    bl_idname = "LIKENESS_PT_render"
    bl_label = "Render"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 25

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        scene = context.scene
        settings = scene.likeness_render
        if not compositing.is_set_up(scene):
            layout.operator(LIKENESS_OT_set_up_render.bl_idname, icon="RENDER_STILL")
            if compositing.is_half_removed(scene):
                layout.operator(LIKENESS_OT_remove_render.bl_idname, icon="X")
            return
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "device")
        layout.prop(settings, "level")
        layout.prop(settings, "depth_sharpness", text="Sharpness")
        layout.prop(settings, "light")
        if scene.render.use_motion_blur:
            layout.prop(settings, "motion_samples", text="Moments")
        camera = scene.camera
        if camera and camera.type == "CAMERA" and camera.data.dof.use_dof:
            layout.prop(settings, "lens_samples", text="Lens Points")
        reason = avatar_group.inexact_colors_reason(scene.view_settings)
        if reason:
            layout.label(text=reason, icon="INFO")
        layout.operator(LIKENESS_OT_remove_render.bl_idname, icon="X")


classes = (LIKENESS_PT_render,)
