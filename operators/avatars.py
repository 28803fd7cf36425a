"""Select and delete avatars, and turn them into Blender's own Gaussian splats."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, character, linked, native
from ..engine.api.errors import LikenessError
from .explained import Explained


def no_avatar_reason(context: bpy.types.Context) -> str:
    """Why an operator that looks at the active avatar is grey, or ''."""
    obj = context.object
    if avatar_object.find_avatar(obj) is not None:
        return ""
    instanced = obj.instance_collection if obj is not None else None
    if instanced is not None and any(map(avatar_object.is_avatar, instanced.all_objects)):
        return "An instance has no pose of its own: Object > Apply > Make Instances Real"
    return "Select an avatar first"


def locked_reason(context: bpy.types.Context) -> str:
    """Why an operator that changes the active avatar is grey, or ''."""
    return no_avatar_reason(context) or linked.locked_reason(
        avatar_object.find_avatar(context.object)
    )


class LIKENESS_OT_select_rig(Explained, bpy.types.Operator):
    """Select the bones of the active avatar, to turn its neck, jaw and eyes in Pose Mode"""

    bl_idname = "likeness.select_rig"
    bl_label = "Pose Rig"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = locked_reason(context)
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
        return locked_reason(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        character.remove(avatar_object.find_avatar(context.object))
        return {"FINISHED"}


class LIKENESS_OT_make_override(Explained, bpy.types.Operator):
    """Make a library override of a linked avatar, with which it can be posed and keyframed here"""

    bl_idname = "likeness.make_override"
    bl_label = "Make Override"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = no_avatar_reason(context)
        if not reason and not locked_reason(context):
            return "This avatar can be edited already"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            proxy = linked.make_editable(context, avatar_object.find_avatar(context.object))
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        character.select_only(context, proxy)
        return {"FINISHED"}


class LIKENESS_OT_convert_native(Explained, bpy.types.Operator):
    """Make a point cloud of Blender's own Gaussian splats from the active avatar"""

    bl_idname = "likeness.convert_native"
    bl_label = "Convert to Native Point Cloud"
    bl_options = {"REGISTER", "UNDO"}

    live: bpy.props.BoolProperty(
        name="Live",
        description="Follow the avatar's pose, and be shown instead of it",
        default=True,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return locked_reason(context) or native.missing_reason()

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar = avatar_object.find_avatar(context.object)
        try:
            native.convert(context, avatar, self.live)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class LIKENESS_OT_remove_native(Explained, bpy.types.Operator):
    """Delete the live point cloud of the active avatar and draw the avatar as before"""

    bl_idname = "likeness.remove_native"
    bl_label = "Remove Native Point Cloud"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = locked_reason(context)
        avatar = avatar_object.find_avatar(context.object)
        if not reason and not avatar_object.shows_natively(avatar):
            return "This avatar has no live point cloud"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        native.remove(avatar_object.find_avatar(context.object))
        return {"FINISHED"}


classes = (
    LIKENESS_OT_select_rig,
    LIKENESS_OT_remove_avatar,
    LIKENESS_OT_make_override,
    LIKENESS_OT_convert_native,
    LIKENESS_OT_remove_native,
)
