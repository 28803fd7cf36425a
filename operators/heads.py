"""Choose, add and download head models."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..blender_addon import heads, jobs
from .engine_job import EngineJob, engine_reason
from .explained import Explained


class LIKENESS_OT_choose_head(Explained, bpy.types.Operator):
    """Track the next footage with this head. Avatars that are made keep theirs"""

    bl_idname = "likeness.choose_head"
    bl_label = "Choose Head"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(
        name="Name",
        description="Of one of your heads, or the built-in head's",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.likeness_head = self.name
        return {"FINISHED"}


class LIKENESS_OT_add_head(EngineJob, bpy.types.Operator):
    """Read, check and convert a head model of yours: ICT-FaceKit, FLAME, GNM or a head file"""

    bl_idname = "likeness.add_head"
    bl_label = "Add Head"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.npz;*.pkl;*.obj", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return engine_reason(context)

    def invoke(self, context: bpy.types.Context, _: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        path = Path(bpy.path.abspath(self.filepath))
        # Of a folder of OBJ files any file may be picked.
        path = path.parent if path.suffix.lower() == ".obj" else path
        jobs.run(context, "heads", heads.redraw, action="add", what=str(path))


class LIKENESS_OT_download_head(EngineJob, bpy.types.Operator):
    """Download a head model from its publisher, after you have agreed to its licence"""

    bl_idname = "likeness.download_head"
    bl_label = "Download Head"

    key: bpy.props.EnumProperty(
        name="Head",
        description="Which publisher's head model",
        items=[(key, words.split(",")[0], words) for key, words in heads.LICENCES.items()],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if not bpy.app.online_access:
            return "Allow Online Access in Preferences > System, or add a file that you have"
        return engine_reason(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self, event, title="Download Head", message=f"{heads.LICENCES[self.key]}. Do you agree?"
        )

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        request = {"action": "download", "what": self.key, "consent": True}
        jobs.run(context, "heads", heads.redraw, **request)


classes = (LIKENESS_OT_choose_head, LIKENESS_OT_add_head, LIKENESS_OT_download_head)
