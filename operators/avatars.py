"""Select and delete avatars."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, character
from .explained import Explained


def no_avatar_reason(context: bpy.types.Context) -> str:
    """Why an operator on the active avatar is grey, or ''."""
    if avatar_object.find_avatar(context.object) is None:
        return "Select an avatar first"
    return ""


class LIKENESS_OT_select_rig(Explained, bpy.types.Operator):
    """Select the bones of the active avatar, to turn its neck, jaw and eyes in Pose Mode"""

    bl_idname = "likeness.select_rig"
    bl_label = "Pose Rig"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = no_avatar_reason(context)
        if not reason and avatar_object.find_rig(avatar_object.find_avatar(context.object)) is None:
            return "This avatar has lost its rig"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig = avatar_object.find_rig(avatar_object.find_avatar(context.object))
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        character.select_only(context, rig)
        bpy.ops.object.mode_set(mode="POSE")
        return {"FINISHED"}


class LIKENESS_OT_remove_avatar(Explained, bpy.types.Operator):
    """Delete the active avatar with its rig, footage camera and Gaussians"""

    bl_idname = "likeness.remove_avatar"
    bl_label = "Delete Avatar"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return no_avatar_reason(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        character.remove(avatar_object.find_avatar(context.object))
        return {"FINISHED"}


classes = (LIKENESS_OT_select_rig, LIKENESS_OT_remove_avatar)
