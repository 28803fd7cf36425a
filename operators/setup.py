"""Make, repair and remove the avatar engine's Python environment."""

from __future__ import annotations

import bpy

from ..blender_addon import environment, jobs
from ..blender_addon.preferences import preferences
from .engine_job import EngineJob, busy_reason
from .explained import Explained
from .manual import show_text


def _offline_reason(context: bpy.types.Context) -> str:
    """Why nothing can be downloaded, or ''; packages in a folder need no network."""
    if bpy.app.online_access or preferences(context).wheels:
        return ""
    if getattr(bpy.app, "online_access_override", False):
        return "Blender was started in offline mode; choose a folder of Offline Packages"
    return "Allow Online Access in Preferences > System, or choose a Python in the preferences"


class _SetsUp(EngineJob):
    """What making and repairing have in common: the environment is made anew."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        wheels = preferences(context).wheels
        downloads = "Downloads about 1 GB (3 GB with an NVIDIA card) from pypi.org and pytorch.org"
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=self.bl_label,
            message=f"Installs packages from {wheels}" if wheels else downloads,
        )

    def start(self, context: bpy.types.Context) -> None:
        """Make the environment. Raises LikenessError."""
        chosen = preferences(context)
        wheels = bpy.path.abspath(chosen.wheels)
        choices = environment.Choices(chosen.processor, wheels)
        jobs.run_programs(context, environment.set_up(jobs.engine_folder(), choices))


class LIKENESS_OT_set_up_engine(_SetsUp, bpy.types.Operator):
    """Download the avatar engine's packages into their own folder: about 1 GB, 3 GB with CUDA"""

    bl_idname = "likeness.set_up_engine"
    bl_label = "Set Up Avatar Engine"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if reason := busy_reason(context):
            return reason
        if preferences(context).engine_python:
            return "Another Python is chosen in the preferences; empty that field first"
        if environment.is_complete(jobs.engine_folder()):
            return "The avatar engine is set up; Repair in the preferences makes it anew"
        return _offline_reason(context)


class LIKENESS_OT_repair_engine(_SetsUp, bpy.types.Operator):
    """Make the avatar engine's environment anew, with the packages chosen in the preferences"""

    bl_idname = "likeness.repair_engine"
    bl_label = "Repair"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if reason := busy_reason(context):
            return reason
        if not jobs.engine_folder().is_dir():
            return "There is nothing to repair: press Set Up Avatar Engine"
        return _offline_reason(context)


class LIKENESS_OT_remove_engine(EngineJob, bpy.types.Operator):
    """Delete the avatar engine's environment; avatars, heads and the add-on stay"""

    bl_idname = "likeness.remove_engine"
    bl_label = "Remove"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if reason := busy_reason(context):
            return reason
        return "" if jobs.engine_folder().is_dir() else "The avatar engine is not set up"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def start(self, context: bpy.types.Context) -> None:
        """Delete the environment. Raises LikenessError."""
        jobs.run_programs(context, environment.removal(jobs.engine_folder()))


class LIKENESS_OT_show_set_up_log(Explained, bpy.types.Operator):
    """Read what the programs said that set the avatar engine up"""

    bl_idname = "likeness.show_set_up_log"
    bl_label = "Set-Up Log"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        there = environment.log_path(jobs.engine_folder()).is_file()
        return "" if there else "The avatar engine has not been set up yet"

    def execute(self, context: bpy.types.Context) -> set[str]:
        show_text(context, environment.log_path(jobs.engine_folder()))
        return {"FINISHED"}


classes = (
    LIKENESS_OT_set_up_engine,
    LIKENESS_OT_repair_engine,
    LIKENESS_OT_remove_engine,
    LIKENESS_OT_show_set_up_log,
)
