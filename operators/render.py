"""Put the avatars into the scene's renders, or take them out again."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_layer, compositing
from .explained import Explained


class LIKENESS_OT_set_up_render(Explained, bpy.types.Operator):
    """Show this scene's avatars in its renders, by a node group before the compositor's output"""

    bl_idname = "likeness.set_up_render"
    bl_label = "Set Up Avatar Render"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if compositing.is_set_up(context.scene):
            return "Avatars are already part of this scene's renders"
        if next(avatar_layer.renderable_avatars(context.scene), None) is None:
            return "The scene has no avatar that is visible in renders"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar_layer.set_up(context.scene)
        return {"FINISHED"}


class LIKENESS_OT_remove_render(Explained, bpy.types.Operator):
    """Take the avatars out of this scene's renders and leave the compositor as it was before"""

    bl_idname = "likeness.remove_render"
    bl_label = "Remove Avatar Render"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        scene = context.scene
        if not compositing.is_set_up(scene) and not compositing.is_half_removed(scene):
            return "Avatars are not part of this scene's renders"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar_layer.remove(context.scene)
        return {"FINISHED"}


classes = (LIKENESS_OT_set_up_render, LIKENESS_OT_remove_render)
