"""Make an avatar from footage, in the background."""

from __future__ import annotations

import bpy

from ..blender_addon import jobs, unfinished
from .engine_job import EngineJob, busy_reason, engine_reason
from .explained import Explained


def _nothing_unfinished(context: bpy.types.Context) -> str:
    if reason := busy_reason(context):
        return reason
    there = unfinished.find(jobs.user_folder()) is not None
    return "" if there else "There is no unfinished avatar"


class LIKENESS_OT_create_avatar(EngineJob, bpy.types.Operator):
    """Learn an avatar from the footage. It appears while it learns and gets sharper; Esc cancels"""

    bl_idname = "likeness.create_avatar"
    bl_label = "Create Avatar"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if reason := busy_reason(context):
            return reason
        chosen = context.scene.likeness.footage
        return engine_reason(context) if chosen else "Choose footage of a head first"

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        jobs.create_avatar(context)


class LIKENESS_OT_resume_avatar(EngineJob, bpy.types.Operator):
    """Go on with the avatar that was cancelled or interrupted, from where it was"""

    bl_idname = "likeness.resume_avatar"
    bl_label = "Resume"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return _nothing_unfinished(context) or engine_reason(context)

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        jobs.resume_avatar(context)


class LIKENESS_OT_discard_unfinished(Explained, bpy.types.Operator):
    """Forget the unfinished avatar and delete what it has learned so far"""

    bl_idname = "likeness.discard_unfinished"
    bl_label = "Discard Unfinished Avatar"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return _nothing_unfinished(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        unfinished.discard(jobs.user_folder())
        return {"FINISHED"}


class LIKENESS_OT_cancel(Explained, bpy.types.Operator):
    """Stop what the avatar engine is doing. The scene becomes what it was before"""

    bl_idname = "likeness.cancel"
    bl_label = "Cancel"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if context.window_manager.likeness.running else "Nothing is being done"

    def execute(self, context: bpy.types.Context) -> set[str]:
        jobs.cancel()
        return {"FINISHED"}


classes = (
    LIKENESS_OT_create_avatar,
    LIKENESS_OT_resume_avatar,
    LIKENESS_OT_discard_unfinished,
    LIKENESS_OT_cancel,
)
