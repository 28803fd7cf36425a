"""Make an avatar from footage, in the background."""

from __future__ import annotations

import bpy

from ..blender_addon import jobs, unfinished
from ..engine.api.errors import LikenessError
from .explained import Explained


def follow(operator: bpy.types.Operator, context: bpy.types.Context) -> set[str]:
    """Go on as a modal operator in a window, until the end in the background."""
    if bpy.app.background:
        jobs.wait(context)
        return end(operator, context)
    operator.timer = context.window_manager.event_timer_add(0.2, window=context.window)
    context.window_manager.modal_handler_add(operator)
    return {"RUNNING_MODAL"}


def watch(
    operator: bpy.types.Operator, context: bpy.types.Context, event: bpy.types.Event
) -> set[str]:
    """The modal part: Esc over the viewport asks the job to stop; everything else passes."""
    job = context.window_manager.likeness
    if not job.running:
        context.window_manager.event_timer_remove(operator.timer)
        context.workspace.status_text_set(None)
        return end(operator, context)
    if event.type == "ESC" and event.value == "PRESS":
        jobs.cancel()
        return {"RUNNING_MODAL"}
    context.workspace.status_text_set(f"Likeness: {job.stage} {job.progress:.0%}   Esc: cancel")
    return {"PASS_THROUGH"}


def end(operator: bpy.types.Operator, context: bpy.types.Context) -> set[str]:
    """Say how the job ended."""
    error = context.window_manager.likeness.error
    if error:
        operator.report({"ERROR"}, error)
        return {"CANCELLED"}
    return {"FINISHED"}


class LIKENESS_OT_create_avatar(Explained, bpy.types.Operator):
    """Learn an avatar from the footage. It appears while it learns and gets sharper; Esc cancels"""

    bl_idname = "likeness.create_avatar"
    bl_label = "Create Avatar"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if context.window_manager.likeness.running:
            return "The avatar engine is at work"
        if not context.scene.likeness.footage:
            return "Choose footage of a head first"
        if jobs.engine_python(context) is None:
            return "The avatar engine is not set up"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            jobs.create_avatar(context)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return follow(self, context)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return watch(self, context, event)


class LIKENESS_OT_resume_avatar(Explained, bpy.types.Operator):
    """Go on with the avatar that was cancelled or interrupted, from where it was"""

    bl_idname = "likeness.resume_avatar"
    bl_label = "Resume"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if context.window_manager.likeness.running:
            return "The avatar engine is at work"
        if unfinished.find(jobs.user_folder()) is None:
            return "There is no unfinished avatar"
        if jobs.engine_python(context) is None:
            return "The avatar engine is not set up"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            jobs.resume_avatar(context)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return follow(self, context)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return watch(self, context, event)


class LIKENESS_OT_discard_unfinished(Explained, bpy.types.Operator):
    """Forget the unfinished avatar and delete what it has learned so far"""

    bl_idname = "likeness.discard_unfinished"
    bl_label = "Discard Unfinished Avatar"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if context.window_manager.likeness.running:
            return "The avatar engine is at work"
        there = unfinished.find(jobs.user_folder()) is not None
        return "" if there else "There is no unfinished avatar"

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
