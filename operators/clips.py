"""The further clips of one person that the next avatar learns from."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from .explained import Explained


class LIKENESS_OT_add_clips(Explained, bpy.types.Operator, ImportHelper):
    """Choose more footage of the same person: other light, other expressions, another day"""

    bl_idname = "likeness.add_clips"
    bl_label = "Add Clips"
    bl_options = {"REGISTER", "UNDO"}

    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: bpy.props.StringProperty(
        subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}, description="Where the clips lie"
    )
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="", options={"HIDDEN"})
    filename_ext = ""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if context.window_manager.likeness.running:
            return "The avatar engine is at work on other footage"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        clips = context.scene.likeness_creation.clips
        names = [file.name for file in self.files if file.name]
        paths = [str(Path(self.directory) / name) for name in names] or [self.filepath]
        present = {context.scene.likeness.footage, *(clip.path for clip in clips)}
        new = [path for path in dict.fromkeys(paths) if path not in present]
        for path in new:
            clips.add().path = path
        if not new:
            self.report({"WARNING"}, "These clips are chosen already")
            return {"CANCELLED"}
        return {"FINISHED"}


class LIKENESS_OT_remove_clip(Explained, bpy.types.Operator):
    """Do not learn from this clip; its file stays"""

    bl_idname = "likeness.remove_clip"
    bl_label = "Remove Clip"
    bl_options = {"REGISTER", "UNDO"}

    index: bpy.props.IntProperty(
        name="Clip", description="Which of the further clips, from 0", min=0, options={"SKIP_SAVE"}
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if context.scene.likeness_creation.clips else "There are no further clips"

    def execute(self, context: bpy.types.Context) -> set[str]:
        clips = context.scene.likeness_creation.clips
        if self.index >= len(clips):
            self.report({"ERROR"}, f"There is no clip {self.index}")
            return {"CANCELLED"}
        clips.remove(self.index)
        return {"FINISHED"}


classes = (LIKENESS_OT_add_clips, LIKENESS_OT_remove_clip)
