"""Bake an avatar's movement to keyframes."""

from __future__ import annotations

import bpy

from ..blender_addon import avatar_object, bake
from ..engine.api.errors import LikenessError
from .avatars import locked_reason
from .explained import Explained

_WAYS = [
    (bake.KEYS, "As Seen", "Sliders and bones as drivers, constraints and NLA leave them"),
    (
        bake.REDUCED,
        "To Reduced Keys",
        "The learned blendshapes' weights too; they alone then move the Gaussians on the head",
    ),
    (
        bake.EXPRESSIONS,
        "To Expressions",
        "The expressions that come closest to the reduced keys, which go back to 0",
    ),
]


class LIKENESS_OT_bake(Explained, bpy.types.Operator):
    """Write what moves the active avatar as keyframes of a new Action, over the scene's frames"""

    bl_idname = "likeness.bake"
    bl_label = "Bake Animation"
    bl_options = {"REGISTER", "UNDO"}

    way: bpy.props.EnumProperty(name="Bake", description="What to write", items=_WAYS)
    step: bpy.props.IntProperty(
        name="Frame Step", description="A keyframe every so many frames", default=1, min=1
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = locked_reason(context)
        if not reason and avatar_object.find_avatar(context.object).data.shape_keys is None:
            return "This avatar has lost its shape keys"
        return reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy, scene = avatar_object.find_avatar(context.object), context.scene
        frames = range(scene.frame_start, scene.frame_end + 1, self.step)
        manager = context.window_manager
        manager.progress_begin(0, len(frames))
        seen: list[bake.Moment] = []
        try:
            for moment in bake.moments(context, proxy, frames):
                seen.append(moment)
                manager.progress_update(len(seen))
            action = bake.write(proxy, seen, self.way)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            manager.progress_end()
        self.report({"INFO"}, f"{len(seen)} keyframes in {action.name}")
        return {"FINISHED"}


classes = (LIKENESS_OT_bake,)
