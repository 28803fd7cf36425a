"""An avatar from one image or a few. Draws only."""

from __future__ import annotations

import bpy

from ..operators.images import LIKENESS_OT_add_images, LIKENESS_OT_create_from_images


class LIKENESS_PT_images(bpy.types.Panel):
    """Images instead of footage."""

    bl_idname = "LIKENESS_PT_images"
    bl_label = "From Images"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_parent_id = "LIKENESS_PT_create"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not context.window_manager.likeness.running

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.likeness_images
        layout.prop(chosen, "method", text="")
        layout.prop(chosen, "refine")
        column = layout.column(align=True)
        column.operator(LIKENESS_OT_create_from_images.bl_idname, icon="IMAGE_DATA")
        column.operator(LIKENESS_OT_add_images.bl_idname, icon="ADD")


classes = (LIKENESS_PT_images,)
