"""File > Export: Gaussians for other programs, and the avatar's own file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..blender_addon import avatar_object, export
from ..engine.api.errors import LikenessError
from .avatars import no_avatar_reason
from .explained import Explained

_AXES = [
    ("y-down", "Y Down", "As 3D Gaussian Splatting is trained; viewers turn it upright"),
    ("y-up", "Y Up", "As in glTF, Unity and most games"),
    ("z-up", "Z Up", "As in Blender, without any turn"),
]


class _ExportSplats(Explained, ExportHelper):
    """What the exporters of Gaussians share: avatars, frames, level; Esc between files."""

    which: bpy.props.EnumProperty(
        name="Avatars",
        description="Which avatars the file gets",
        items=[
            ("ACTIVE", "Active", "The active avatar alone"),
            ("SHOWN", "All Shown", "Every avatar that the viewport shows"),
        ],
    )
    animation: bpy.props.BoolProperty(
        name="Animation",
        description="One numbered file for each frame of the scene's range",
        default=False,
    )
    step: bpy.props.IntProperty(
        name="Frame Step", description="Write every so many frames", default=1, min=1
    )
    level: bpy.props.IntProperty(
        name="Level of Detail",
        description="0 writes every Gaussian, higher levels write fewer",
        default=0,
        min=0,
        max=8,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return no_avatar_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if self.which == "ACTIVE":
            avatars = [avatar_object.find_avatar(context.object)]
        else:
            avatars = export.shown_avatars(context)
        choice = export.Choice(
            path=Path(bpy.path.abspath(self.filepath)),
            names=[avatar.name for avatar in avatars],
            axes=getattr(self, "axes", "y-up"),
            rest=getattr(self, "rest", False),
            level=self.level,
        )
        try:
            if self.animation:
                return self._write_frames(context, choice)
            count = export.write_pose(context, choice)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{count:,} Gaussians written to {choice.path.name}")
        return {"FINISHED"}

    def _write_frames(self, context: bpy.types.Context, choice: export.Choice) -> set[str]:
        scene = context.scene
        frames = range(scene.frame_start, scene.frame_end + 1, self.step)
        steps = export.write_frames(context, choice, frames)
        if bpy.app.background:
            for _ in steps:
                pass
            return {"FINISHED"}
        self.steps: Iterator[float] = steps
        self.timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.progress_begin(0, 1)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC":
            self.report({"WARNING"}, "Export stopped; the files written so far are whole")
            return self._end(context, {"CANCELLED"})
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        try:
            done = next(self.steps)
        except StopIteration:
            return self._end(context, {"FINISHED"})
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return self._end(context, {"CANCELLED"})
        context.window_manager.progress_update(done)
        context.workspace.status_text_set(f"Likeness: writing frames {done:.0%}   Esc: stop")
        return {"RUNNING_MODAL"}

    def _end(self, context: bpy.types.Context, result: set[str]) -> set[str]:
        self.steps.close()
        context.window_manager.event_timer_remove(self.timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
        return result


class LIKENESS_OT_export_ply(bpy.types.Operator, _ExportSplats):
    """Write the avatar's Gaussians, as posed now or frame by frame, as 3D Gaussian Splatting PLY"""

    bl_idname = "likeness.export_ply"
    bl_label = "Export Gaussian PLY"
    bl_options = {"REGISTER"}

    filename_ext = ".ply"
    filter_glob: bpy.props.StringProperty(default="*.ply", options={"HIDDEN"})
    axes: bpy.props.EnumProperty(
        name="Axes",
        description="Which way is up for the program that reads the file",
        items=_AXES,
    )
    rest: bpy.props.BoolProperty(
        name="Empty Harmonics",
        description="Add the 45 view-dependent coefficients that strict readers expect, all zero",
        default=False,
    )


class LIKENESS_OT_export_glb(bpy.types.Operator, _ExportSplats):
    """Write the avatar's Gaussians as glTF with KHR_gaussian_splatting, one node an avatar"""

    bl_idname = "likeness.export_glb"
    bl_label = "Export Gaussian glTF"
    bl_options = {"REGISTER"}

    filename_ext = ".glb"
    filter_glob: bpy.props.StringProperty(default="*.glb", options={"HIDDEN"})


class LIKENESS_OT_export_avatar(Explained, bpy.types.Operator, ExportHelper):
    """Write the active avatar with head, sliders and performance from this .blend to a file"""

    bl_idname = "likeness.export_avatar"
    bl_label = "Export Avatar"
    bl_options = {"REGISTER"}

    filename_ext = ".likeness"
    filter_glob: bpy.props.StringProperty(default="*.likeness", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return no_avatar_reason(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        try:
            export.write_likeness(proxy, bpy.path.abspath(self.filepath))
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Wrote {Path(self.filepath).name}")
        return {"FINISHED"}


def draw_menu(menu: bpy.types.Menu, _: bpy.types.Context) -> None:
    layout = menu.layout
    layout.operator(LIKENESS_OT_export_avatar.bl_idname, text="Likeness Avatar (.likeness)")
    layout.operator(LIKENESS_OT_export_ply.bl_idname, text="Likeness Gaussians (.ply)")
    layout.operator(LIKENESS_OT_export_glb.bl_idname, text="Likeness Gaussians (.glb)")


classes = (LIKENESS_OT_export_ply, LIKENESS_OT_export_glb, LIKENESS_OT_export_avatar)
