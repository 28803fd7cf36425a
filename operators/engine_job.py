"""Operators whose work the engine does in the background."""

from __future__ import annotations

import bpy

from ..blender_addon import jobs
from ..engine.api.errors import LikenessError
from .explained import Explained


def busy_reason(context: bpy.types.Context) -> str:
    """Why nothing can be asked of the engine while it does something else, or ''."""
    return "The avatar engine is at work" if context.window_manager.likeness.running else ""


def engine_reason(context: bpy.types.Context) -> str:
    """Why nothing can be asked of the engine at all, or ''."""
    if reason := busy_reason(context):
        return reason
    return "" if jobs.engine_python(context) else "The avatar engine is not set up"


class EngineJob(Explained):
    """Starts a job and goes on as a modal operator until its end; Esc over the viewport asks it to
    stop, everything else passes. A mix-in of bpy.types.Operator."""

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.start(context)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if bpy.app.background:
            jobs.wait(context)
            return self._end(context)
        self.timer = context.window_manager.event_timer_add(0.2, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        job = context.window_manager.likeness
        if not job.running:
            context.window_manager.event_timer_remove(self.timer)
            context.workspace.status_text_set(None)
            return self._end(context)
        if event.type == "ESC" and event.value == "PRESS":
            jobs.cancel()
            return {"RUNNING_MODAL"}
        context.workspace.status_text_set(f"Likeness: {job.stage} {job.progress:.0%}   Esc: cancel")
        return {"PASS_THROUGH"}

    def _end(self, context: bpy.types.Context) -> set[str]:
        """Say how the job ended."""
        if error := context.window_manager.likeness.error:
            self.report({"ERROR"}, error)
            return {"CANCELLED"}
        return {"FINISHED"}
