"""An avatar from one image or a few, and more images for one that is there."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..blender_addon import avatar_object, images, jobs
from ..engine.api.errors import LikenessError
from .avatars import no_avatar_reason
from .explained import Explained
from .reconstruct import follow, watch


class _Chosen(ImportHelper):
    """Images picked in the file browser."""

    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: bpy.props.StringProperty(
        subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}, description="Where the images lie"
    )
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="", options={"HIDDEN"})
    filename_ext = ""

    def paths(self) -> list[str]:
        """All that was picked, by name."""
        names = sorted(file.name for file in self.files if file.name)
        return [str(Path(self.directory) / name) for name in names] or [self.filepath]

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return watch(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.start(context)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return follow(self, context)


class LIKENESS_OT_create_from_images(Explained, _Chosen, bpy.types.Operator):
    """Make an avatar of one image of a head, or several of the same person, in about a minute"""

    bl_idname = "likeness.create_from_images"
    bl_label = "Create Avatar from Image(s)"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if context.window_manager.likeness.running:
            return "The avatar engine is at work"
        if jobs.engine_python(context) is None:
            return "The avatar engine is not set up"
        return ""

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        request = images.new_avatar(context, self.paths(), jobs.user_folder())
        jobs.create_from_images(context, request)


class LIKENESS_OT_add_images(Explained, _Chosen, bpy.types.Operator):
    """Improve the active avatar by more images of the same person; its animation stays"""

    bl_idname = "likeness.add_images"
    bl_label = "Add Images"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return LIKENESS_OT_create_from_images.disabled_reason(context) or no_avatar_reason(context)

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        proxy = avatar_object.find_avatar(context.object)
        uid, folder = proxy.session_uid, jobs.user_folder()
        request = images.improved_avatar(context, proxy, self.paths(), folder)
        jobs.run(
            context,
            "regress",
            lambda path: images.take_over(bpy.context, uid, path),
            **request,
        )


classes = (LIKENESS_OT_create_from_images, LIKENESS_OT_add_images)
