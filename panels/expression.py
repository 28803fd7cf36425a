"""The sliders of the active avatar by region of the face, and the tools for poses. Draws only."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, sliders
from ..blender_addon.pose import HEAD
from ..operators.animate import LIKENESS_OT_reset_sliders
from ..operators.pose import (
    LIKENESS_OT_copy_pose,
    LIKENESS_OT_key_pose,
    LIKENESS_OT_mirror_pose,
    LIKENESS_OT_paste_pose,
    LIKENESS_OT_reset_slider,
    LIKENESS_OT_unkey_pose,
)

_OPEN_AT_FIRST = {"BROWS", "EYES", "MOUTH"}


class LIKENESS_PT_sliders(bpy.types.Panel):
    """The avatar's shape keys, by region of the face."""

    bl_idname = "LIKENESS_PT_sliders"
    bl_label = "Expression"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 30

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        avatar = avatar_object.find_avatar(context.object)
        # No poll: a panel that comes later than the others would be drawn below them.
        if avatar is None:
            layout.label(text="Select an avatar")
            return
        _draw_tools(layout)
        for region, label in sliders.REGIONS:
            keys = list(sliders.keys_of(avatar, region))
            if keys:
                _draw_region(layout, region, label, keys)
        layout.prop(avatar.likeness, "follow", slider=True)


def _draw_tools(layout: bpy.types.UILayout) -> None:
    row = layout.row(align=True)
    row.operator(LIKENESS_OT_reset_sliders.bl_idname, text="Reset", icon="LOOP_BACK")
    row.operator(LIKENESS_OT_copy_pose.bl_idname, text="", icon="COPYDOWN")
    row.operator(LIKENESS_OT_paste_pose.bl_idname, text="", icon="PASTEDOWN")
    row.operator(LIKENESS_OT_paste_pose.bl_idname, text="", icon="PASTEFLIPDOWN").mirrored = True
    row.operator(LIKENESS_OT_key_pose.bl_idname, text="", icon="KEY_HLT")
    row.operator(LIKENESS_OT_unkey_pose.bl_idname, text="", icon="KEY_DEHLT")
    row = layout.row(align=True)
    for way, text, icon in (
        ("Left", "L to R", "FORWARD"),
        ("SWAP", "Mirror", "MOD_MIRROR"),
        ("Right", "R to L", "BACK"),
    ):
        row.operator(LIKENESS_OT_mirror_pose.bl_idname, text=text, icon=icon).way = way
    head = row.operator(LIKENESS_OT_key_pose.bl_idname, text="", icon="BONE_DATA")
    head.region = HEAD


def _draw_region(
    layout: bpy.types.UILayout, region: str, label: str, keys: list[bpy.types.ShapeKey]
) -> None:
    header, body = layout.panel(f"likeness_{region}", default_closed=region not in _OPEN_AT_FIRST)
    header.label(text=label)
    for operator, icon in (
        (LIKENESS_OT_mirror_pose, "MOD_MIRROR"),
        (LIKENESS_OT_key_pose, "KEY_HLT"),
        (LIKENESS_OT_reset_sliders, "LOOP_BACK"),
    ):
        button = header.operator(operator.bl_idname, text="", icon=icon, emboss=False)
        button.region = region
    if body is None:
        return
    column = body.column(align=True)
    for key in keys:
        row = column.row(align=True)
        row.prop(key, "value", text=sliders.label_of(key.name), slider=True)
        # Its tooltip says what the slider does: Blender has none of its own for each shape key.
        info = row.operator(LIKENESS_OT_reset_slider.bl_idname, text="", icon="DOT", emboss=False)
        info.slider = key.name


classes = (LIKENESS_PT_sliders,)
