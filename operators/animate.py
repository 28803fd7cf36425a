"""Sliders to neutral, the recorded performance, the camera that filmed it."""

from __future__ import annotations

import bpy

from ..blender_addon import animation, avatar_object, footage_camera, keying, sliders
from ..blender_addon.pose import HEAD, REGION_ITEMS
from ..engine.api.errors import LikenessError
from .avatars import locked_reason
from .explained import Explained

_SLIDER_REGIONS = [item for item in REGION_ITEMS if item[0] != HEAD]


class LIKENESS_OT_reset_sliders(Explained, bpy.types.Operator):
    """Put sliders back to neutral. Animated ones follow their keyframes again at the next frame"""

    bl_idname = "likeness.reset_sliders"
    bl_label = "Reset Sliders"
    bl_options = {"REGISTER", "UNDO"}

    region: bpy.props.EnumProperty(
        name="Region",
        description="Which sliders to reset",
        items=_SLIDER_REGIONS,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return locked_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        sliders.reset(proxy, None if self.region == "ALL" else self.region)
        keying.insert_if_recording(context, proxy, self.region)
        return {"FINISHED"}


class LIKENESS_OT_apply_performance(Explained, bpy.types.Operator):
    """Animate the active avatar as the person moved in the footage: face, head, or both"""

    bl_idname = "likeness.apply_performance"
    bl_label = "Use Performance"
    bl_options = {"REGISTER", "UNDO"}

    part: bpy.props.EnumProperty(
        name="Part",
        description="What the performance animates; the rest keeps the Action that it has",
        items=[
            ("ALL", "Face and Head", "Sliders and bones"),
            ("FACE", "Face", "Sliders only: the head can move by another Action"),
            ("HEAD", "Head", "Bones only"),
        ],
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return locked_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        try:
            action = animation.use_performance(context.scene, proxy, self.part)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if action is None:
            self.report({"WARNING"}, "This avatar was made without a recorded performance")
            return {"CANCELLED"}
        return {"FINISHED"}


class LIKENESS_OT_layer_performance(Explained, bpy.types.Operator):
    """Move the performance into the NLA editor, so that new keyframes go on top of it"""

    bl_idname = "likeness.layer_performance"
    bl_label = "Animate on Top"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = locked_reason(context)
        if not reason and not animation.plays_performance(
            avatar_object.find_avatar(context.object)
        ):
            return "The performance is not the avatar's active Action"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        animation.layer_performance(avatar_object.find_avatar(context.object))
        return {"FINISHED"}


class LIKENESS_OT_clear_performance(Explained, bpy.types.Operator):
    """Take the performance off the avatar; the Action itself is kept"""

    bl_idname = "likeness.clear_performance"
    bl_label = "Clear Performance"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = locked_reason(context)
        if not reason and not animation.plays_performance(
            avatar_object.find_avatar(context.object)
        ):
            return "The performance is not the avatar's active Action"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        animation.clear_performance(proxy)
        sliders.reset(proxy)
        return {"FINISHED"}


class LIKENESS_OT_match_camera(Explained, bpy.types.Operator):
    """Film the avatar as the footage did: camera, frame rate, length and picture size"""

    bl_idname = "likeness.match_camera"
    bl_label = "Match Footage Camera"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return locked_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        try:
            performance = avatar_object.read(proxy).performance
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        footage_camera.match_scene(context.scene, performance)
        context.scene.camera = footage_camera.add_camera(context, proxy)
        return {"FINISHED"}


classes = (
    LIKENESS_OT_reset_sliders,
    LIKENESS_OT_apply_performance,
    LIKENESS_OT_layer_performance,
    LIKENESS_OT_clear_performance,
    LIKENESS_OT_match_camera,
)
