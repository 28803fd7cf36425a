"""Bring a saved avatar into the scene: File > Import, the panel, or a dropped file."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ImportHelper, poll_file_object_drop

from ..blender_addon import importing
from ..engine.api.errors import LikenessError
from .explained import Explained


class LIKENESS_OT_import_avatar(Explained, bpy.types.Operator, ImportHelper):
    """Add an avatar from a .likeness file: a head with sliders, a rig and its performance"""

    bl_idname = "likeness.import_avatar"
    bl_label = "Import Avatar"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".likeness"
    filter_glob: bpy.props.StringProperty(default="*.likeness", options={"HIDDEN"})
    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    performance: bpy.props.BoolProperty(
        name="Performance",
        description="Animate the avatar as the person moved in the footage",
        default=True,
    )
    match_scene: bpy.props.BoolProperty(
        name="Match Footage",
        description="Give the scene the footage's camera, frame rate, length and picture size",
        default=True,
    )
    set_up_render: bpy.props.BoolProperty(
        name="Show in Renders",
        description="Add the avatar layer to the scene's compositor, so that F12 shows the avatar",
        default=True,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if context.mode.startswith("EDIT"):
            return "Leave Edit Mode first"
        return ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped
            return self.execute(context)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        try:
            proxy = importing.import_file(
                context,
                self.filepath,
                self.performance,
                self.match_scene,
                self.set_up_render,
            )
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Imported {proxy.name}")
        return {"FINISHED"}


class LIKENESS_FH_avatar(bpy.types.FileHandler):
    """Drop a .likeness file on the viewport."""

    bl_idname = "LIKENESS_FH_avatar"
    bl_label = "Likeness Avatar"
    bl_import_operator = LIKENESS_OT_import_avatar.bl_idname
    bl_file_extensions = ".likeness"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return poll_file_object_drop(context)


def draw_menu(menu: bpy.types.Menu, _: bpy.types.Context) -> None:
    menu.layout.operator(LIKENESS_OT_import_avatar.bl_idname, text="Likeness Avatar (.likeness)")


classes = (LIKENESS_OT_import_avatar, LIKENESS_FH_avatar)
