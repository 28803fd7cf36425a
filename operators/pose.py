"""What an animator does with sliders: reset one, mirror, copy, paste, keyframe."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, expression_words, keying, pose, sliders
from ..engine.api.errors import LikenessError
from .avatars import locked_reason, no_avatar_reason
from .explained import Explained

MODES = {"OBJECT", "POSE"}
_WAYS = [
    ("SWAP", "Mirror", "Both sides change places, as in a mirror"),
    ("Left", "Left to Right", "The person's left side is copied to the right"),
    ("Right", "Right to Left", "The person's right side is copied to the left"),
]


def region_property() -> bpy.types.Property:
    """Which part of the face a tool is for."""
    return bpy.props.EnumProperty(
        name="Region", description="Which sliders and bones", items=pose.REGION_ITEMS
    )


class _ForAvatar(Explained):
    """An operator that changes the active avatar."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return locked_reason(context)


class LIKENESS_OT_reset_slider(_ForAvatar, bpy.types.Operator):
    """Put one slider back to neutral"""

    bl_idname = "likeness.reset_slider"
    bl_label = "Reset Slider"

    slider: bpy.props.StringProperty(name="Slider", description="Name of the shape key")

    @classmethod
    def description(cls, _: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        label = sliders.label_of(properties.slider)
        return f"{label}. {expression_words.words_for(properties.slider)}.\nClick: back to neutral"

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        keys = proxy.data.shape_keys
        if keys is None or self.slider not in keys.key_blocks:
            self.report({"ERROR"}, f"This avatar has no slider '{self.slider}'")
            return {"CANCELLED"}
        keys.key_blocks[self.slider].value = 0.0
        return {"FINISHED"}


class LIKENESS_OT_mirror_pose(_ForAvatar, bpy.types.Operator):
    """Mirror the pose, or copy one side of the face to the other"""

    bl_idname = "likeness.mirror_pose"
    bl_label = "Mirror Pose"

    region: region_property()
    way: bpy.props.EnumProperty(name="Way", description="What goes where", items=_WAYS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        now = pose.read(proxy, self.region)
        if self.way == "SWAP":
            wanted = pose.mirrored(now, avatar_object.find_rig(proxy))
        else:
            wanted = pose.symmetric(now, self.way)
        pose.apply(proxy, wanted, self.region)
        keying.insert_if_recording(context, proxy, self.region)
        return {"FINISHED"}


class LIKENESS_OT_copy_pose(_ForAvatar, bpy.types.Operator):
    """Copy sliders and head bones to the clipboard, as text that can be kept, sent and pasted"""

    bl_idname = "likeness.copy_pose"
    bl_label = "Copy Pose"
    bl_options = {"REGISTER"}

    region: region_property()

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return no_avatar_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        now = pose.read(avatar_object.find_avatar(context.object), self.region)
        context.window_manager.clipboard = pose.to_text(now)
        self.report({"INFO"}, f"Copied {len(now.sliders)} sliders and {len(now.bones)} bones")
        return {"FINISHED"}


class LIKENESS_OT_paste_pose(_ForAvatar, bpy.types.Operator):
    """Put a copied pose on the active avatar, also one that was copied from another avatar"""

    bl_idname = "likeness.paste_pose"
    bl_label = "Paste Pose"

    region: region_property()
    mirrored: bpy.props.BoolProperty(
        name="Mirrored", description="Paste the pose as seen in a mirror", default=False
    )
    text: bpy.props.StringProperty(
        name="Text",
        description="The pose as text; empty takes the clipboard",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        # Adjusting the operation afterwards pastes the same pose again.
        self.text = self.text or context.window_manager.clipboard
        try:
            wanted = pose.from_text(self.text)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if self.mirrored:
            wanted = pose.mirrored(wanted, avatar_object.find_rig(proxy))
        missing = pose.apply(proxy, wanted, self.region)
        if missing:
            self.report({"WARNING"}, f"This avatar has no {', '.join(missing)[:200]}")
        keying.insert_if_recording(context, proxy, self.region)
        return {"FINISHED"}


class LIKENESS_OT_key_pose(_ForAvatar, bpy.types.Operator):
    """Keyframe the sliders and head bones at this frame"""

    bl_idname = "likeness.key_pose"
    bl_label = "Keyframe Pose"

    region: region_property()

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        count = keying.insert(proxy, self.region, context.scene.frame_current)
        if not count:
            self.report({"WARNING"}, "There is nothing to keyframe in this region")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Keyframed {count} sliders and bones")
        return {"FINISHED"}


class LIKENESS_OT_unkey_pose(_ForAvatar, bpy.types.Operator):
    """Delete the keyframes of sliders and head bones at this frame"""

    bl_idname = "likeness.unkey_pose"
    bl_label = "Delete Keyframes of Pose"

    region: region_property()

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        if not keying.delete(proxy, self.region, context.scene.frame_current):
            self.report({"WARNING"}, "There is no keyframe at this frame")
            return {"CANCELLED"}
        return {"FINISHED"}


classes = (
    LIKENESS_OT_reset_slider,
    LIKENESS_OT_mirror_pose,
    LIKENESS_OT_copy_pose,
    LIKENESS_OT_paste_pose,
    LIKENESS_OT_key_pose,
    LIKENESS_OT_unkey_pose,
)
