"""Make the avatar engine's Python environment, once."""

from __future__ import annotations

import bpy

from ..blender_addon import jobs
from ..engine.api.errors import LikenessError
from .explained import Explained
from .reconstruct import follow, watch


class LIKENESS_OT_set_up_engine(Explained, bpy.types.Operator):
    """Download the avatar engine's packages into their own folder: about 1 GB, 3 GB with CUDA"""

    bl_idname = "likeness.set_up_engine"
    bl_label = "Set Up Avatar Engine"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if context.window_manager.likeness.running:
            return "The avatar engine is at work"
        if bpy.app.online_access:
            return ""
        if getattr(bpy.app, "online_access_override", False):
            return "Blender was started in offline mode"
        return "Allow Online Access in Preferences > System, or choose a Python in the preferences"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Set Up Avatar Engine",
            message="Downloads about 1 GB (3 GB with an NVIDIA card) from pypi.org and pytorch.org",
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            jobs.set_up_engine(context)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return follow(self, context)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return watch(self, context, event)


classes = (LIKENESS_OT_set_up_engine,)
