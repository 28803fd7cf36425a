"""Put the avatars into the scene's renders, or take them out again."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_layer, compositing
from ..engine.api.errors import LikenessError


class LIKENESS_OT_set_up_render(bpy.types.Operator):
    """Show this scene's avatars in its renders: adds one node group before the compositor's output"""

    bl_idname = "likeness.set_up_render"
    bl_label = "Set Up Avatar Render"
    bl_options = {"REGISTER", "UNDO"}

    @staticmethod
    def disabled_reason(context: bpy.types.Context) -> str:
        """Why the button is grey, or ''."""
        if compositing.is_set_up(context.scene):
            return "Avatars are already part of this scene's renders"
        if next(avatar_layer.renderable_avatars(context.scene), None) is None:
            return "The scene has no avatar that is visible in renders"
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = cls.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            avatar_layer.set_up(context.scene)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class LIKENESS_OT_remove_render(bpy.types.Operator):
    """Take the avatars out of this scene's renders and leave the compositor as it was before"""

    bl_idname = "likeness.remove_render"
    bl_label = "Remove Avatar Render"
    bl_options = {"REGISTER", "UNDO"}

    @staticmethod
    def disabled_reason(context: bpy.types.Context) -> str:
        """Why the button is grey, or ''."""
        if context.scene.likeness_render.layer is None:
            return "Avatars are not part of this scene's renders"
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = cls.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar_layer.remove(context.scene)
        return {"FINISHED"}


classes = (LIKENESS_OT_set_up_render, LIKENESS_OT_remove_render)
