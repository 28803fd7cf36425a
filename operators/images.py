"""An avatar from one image or a few, and more images for one that is there."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, images, jobs
from .avatars import locked_reason
from .chosen_files import ChosenFiles
from .engine_job import EngineJob, engine_reason


class LIKENESS_OT_create_from_images(EngineJob, ChosenFiles, bpy.types.Operator):
    """Make an avatar of one image of a head, or several of the same person, in about a minute"""

    bl_idname = "likeness.create_from_images"
    bl_label = "Create Avatar from Image(s)"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return engine_reason(context)

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        request = images.new_avatar(context, self.paths(), jobs.user_folder())
        jobs.create_from_images(context, request)


class LIKENESS_OT_add_images(EngineJob, ChosenFiles, bpy.types.Operator):
    """Improve the active avatar by more images of the same person; its animation stays"""

    bl_idname = "likeness.add_images"
    bl_label = "Add Images"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return engine_reason(context) or locked_reason(context)

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
