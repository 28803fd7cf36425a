"""Poses to pick from, poses to keep, and example animations."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, examples, keying, pose, pose_library
from ..engine.api.poses import POSES
from .avatars import locked_reason
from .explained import Explained

_EXAMPLES = [(kind, label, words) for kind, (label, words) in examples.EXAMPLES.items()]


class _ForAvatar(Explained):
    """An operator on the active avatar."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return locked_reason(context)


class LIKENESS_OT_apply_pose(_ForAvatar, bpy.types.Operator):
    """Pose the active avatar"""

    bl_idname = "likeness.apply_pose"
    bl_label = "Apply Pose"

    pose: bpy.props.StringProperty(name="Pose", description="A built-in pose, or a pose Action")
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far to go from the present pose to this one",
        default=1.0,
        min=0.0,
        soft_max=1.0,
        max=2.0,
        options={"SKIP_SAVE"},
    )
    mirrored: bpy.props.BoolProperty(
        name="Mirrored",
        description="The pose as seen in a mirror",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        known = POSES.get(properties.pose)
        label = known.label if known else properties.pose
        return f"Pose the avatar: {label}. Strength and mirroring in Adjust Last Operation"

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        action = bpy.data.actions.get(self.pose)
        if self.pose in POSES:
            wanted = pose_library.built_in(proxy, self.pose)
        elif action is not None and action.get(pose_library.MARK):
            wanted = pose_library.of_action(action)
        else:
            self.report({"ERROR"}, f"There is no pose '{self.pose}'")
            return {"CANCELLED"}
        if self.mirrored:
            wanted = pose.mirrored(wanted, avatar_object.find_rig(proxy))
        pose.apply(proxy, wanted, strength=self.strength)
        keying.insert_if_recording(context, proxy, "ALL")
        return {"FINISHED"}


class LIKENESS_OT_add_pose(_ForAvatar, bpy.types.Operator):
    """Keep the avatar's present pose as an Action in the Asset Browser, for every avatar"""

    bl_idname = "likeness.add_pose"
    bl_label = "Add Pose"

    name: bpy.props.StringProperty(name="Name", description="Of the pose", default="Pose")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        action = pose_library.add(proxy, self.name.strip() or "Pose", pose.read(proxy))
        self.report({"INFO"}, f"Added the pose {action.name}")
        return {"FINISHED"}


class LIKENESS_OT_remove_pose(Explained, bpy.types.Operator):
    """Delete a pose Action from this file"""

    bl_idname = "likeness.remove_pose"
    bl_label = "Delete Pose"
    bl_options = {"REGISTER", "UNDO"}

    pose: bpy.props.StringProperty(name="Pose", description="Name of the pose Action")

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if next(pose_library.saved(bpy.data), None) is None:
            return "This file has no poses of its own"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        action = bpy.data.actions.get(self.pose)
        if action is None or not action.get(pose_library.MARK):
            self.report({"ERROR"}, f"There is no pose '{self.pose}'")
            return {"CANCELLED"}
        bpy.data.actions.remove(action)
        return {"FINISHED"}


class LIKENESS_OT_make_pose_assets(_ForAvatar, bpy.types.Operator):
    """Put the built-in poses into the Asset Browser as Actions, with pictures of this avatar"""

    bl_idname = "likeness.make_pose_assets"
    bl_label = "Poses to Asset Browser"

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        manager = context.window_manager
        manager.progress_begin(0, len(POSES))
        made = 0
        for _ in pose_library.make_assets(proxy):
            made += 1
            manager.progress_update(made)
        manager.progress_end()
        if not made:
            self.report({"WARNING"}, "All built-in poses are in the Asset Browser already")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{made} poses are in the Asset Browser (Current File)")
        return {"FINISHED"}


class LIKENESS_OT_add_example(_ForAvatar, bpy.types.Operator):
    """Animate the avatar with an example: an Action to play, change or learn from"""

    bl_idname = "likeness.add_example"
    bl_label = "Example Animation"

    kind: bpy.props.EnumProperty(
        name="Example", description="Which animation to add", items=_EXAMPLES
    )

    @classmethod
    def description(cls, _: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return examples.EXAMPLES[properties.kind][1]

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        action = examples.add(context.scene, proxy, self.kind)
        self.report({"INFO"}, f"{action.name} plays; the Action before it is kept in the file")
        return {"FINISHED"}


classes = (
    LIKENESS_OT_apply_pose,
    LIKENESS_OT_add_pose,
    LIKENESS_OT_remove_pose,
    LIKENESS_OT_make_pose_assets,
    LIKENESS_OT_add_example,
)
