"""Poses and example animations of the active avatar. Draws only."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, examples, pose_library
from ..engine.api.poses import EMOTIONS, EYES, POSES, VISEMES
from ..operators.pose_library import (
    LIKENESS_OT_add_example,
    LIKENESS_OT_add_pose,
    LIKENESS_OT_apply_pose,
    LIKENESS_OT_make_pose_assets,
    LIKENESS_OT_remove_pose,
)

_COLUMNS = {EMOTIONS: 3, EYES: 3, VISEMES: 4}


class LIKENESS_PT_poses(bpy.types.Panel):
    """Poses to click."""

    bl_idname = "LIKENESS_PT_poses"
    bl_label = "Poses"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 35
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if avatar_object.find_avatar(context.object) is None:
            layout.label(text="Select an avatar")
            return
        for category, columns in _COLUMNS.items():
            layout.label(text=category)
            grid = layout.grid_flow(row_major=True, columns=columns, align=True)
            for name, known in POSES.items():
                if known.category == category:
                    button = grid.operator(LIKENESS_OT_apply_pose.bl_idname, text=known.label)
                    button.pose = name
        _draw_own(layout)
        layout.label(text="Example Animations")
        row = layout.row(align=True)
        for kind, (label, _) in examples.EXAMPLES.items():
            row.operator(LIKENESS_OT_add_example.bl_idname, text=label).kind = kind


def _draw_own(layout: bpy.types.UILayout) -> None:
    layout.label(text=pose_library.OWN)
    for action in pose_library.saved(bpy.data):
        if action[pose_library.MARK] != pose_library.OWN:
            continue
        row = layout.row(align=True)
        row.operator(LIKENESS_OT_apply_pose.bl_idname, text=action.name).pose = action.name
        remove = row.operator(LIKENESS_OT_remove_pose.bl_idname, text="", icon="X")
        remove.pose = action.name
    row = layout.row(align=True)
    row.operator(LIKENESS_OT_add_pose.bl_idname, icon="ADD")
    row.operator(LIKENESS_OT_make_pose_assets.bl_idname, text="To Assets", icon="ASSET_MANAGER")


classes = (LIKENESS_PT_poses,)
