"""The further clips of one person that the next avatar learns from."""

from __future__ import annotations

import bpy

from .chosen_files import ChosenFiles
from .engine_job import busy_reason
from .explained import Explained


class LIKENESS_OT_add_clips(Explained, ChosenFiles, bpy.types.Operator):
    """Choose more footage of the same person: other light, other expressions, another day"""

    bl_idname = "likeness.add_clips"
    bl_label = "Add Clips"
    bl_options = {"REGISTER", "UNDO"}

    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return busy_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        clips = context.scene.likeness_creation.clips
        present = {context.scene.likeness.footage, *(clip.path for clip in clips)}
        new = [path for path in dict.fromkeys(self.paths()) if path not in present]
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
