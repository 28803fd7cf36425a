"""Choose the footage of a head."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ImportHelper

from .engine_job import busy_reason
from .explained import Explained


class LIKENESS_OT_import_video(Explained, bpy.types.Operator, ImportHelper):
    """Choose the footage that the next avatar learns from: a video or one image of a single head"""

    bl_idname = "likeness.import_video"
    bl_label = "Import Head Video"
    bl_options = {"REGISTER", "UNDO"}

    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="", options={"HIDDEN"})
    filename_ext = ""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return busy_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.likeness.footage = self.filepath
        self.report({"INFO"}, "Footage chosen. Create Avatar is in the sidebar's Likeness tab")
        return {"FINISHED"}


def draw_menu(menu: bpy.types.Menu, _: bpy.types.Context) -> None:
    menu.layout.operator(LIKENESS_OT_import_video.bl_idname, text="Head Video for Likeness")


classes = (LIKENESS_OT_import_video,)
