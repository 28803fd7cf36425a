"""Create an avatar: footage, method, preset, the work under way. Draws only."""

from __future__ import annotations

import bpy

from ..blender_addon import job_words, jobs, thumbnail, unfinished
from ..operators.capture import LIKENESS_OT_import_video
from ..operators.import_avatar import LIKENESS_OT_import_avatar
from ..operators.manual import LIKENESS_OT_open_manual
from ..operators.reconstruct import (
    LIKENESS_OT_cancel,
    LIKENESS_OT_create_avatar,
    LIKENESS_OT_discard_unfinished,
    LIKENESS_OT_resume_avatar,
)
from ..operators.setup import LIKENESS_OT_set_up_engine
from .text import draw_text


class LIKENESS_PT_create(bpy.types.Panel):
    """From footage to an avatar."""

    bl_idname = "LIKENESS_PT_create"
    bl_label = "Create"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
    bl_order = 10

    def draw_header_preset(self, _: bpy.types.Context) -> None:
        self.layout.operator(LIKENESS_OT_open_manual.bl_idname, text="", icon="HELP", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        job = context.window_manager.likeness
        if job.running:
            _draw_work(layout, job)
            return
        if job.error:
            draw_text(layout.box(), job.error, "ERROR")
        elif job.notice:
            draw_text(layout.box(), job.notice, "INFO")
        if jobs.engine_python(context) is None:
            layout.label(text="Needs the avatar engine, once:", icon="INFO")
            layout.operator(LIKENESS_OT_set_up_engine.bl_idname, icon="IMPORT")
        _draw_unfinished(layout)
        _draw_settings(layout, context.scene.likeness)
        layout.separator()
        layout.operator(LIKENESS_OT_import_avatar.bl_idname, icon="FILE_FOLDER")


def _draw_unfinished(layout: bpy.types.UILayout) -> None:
    found = unfinished.find(jobs.user_folder())
    if found is None:
        return
    box = layout.box()
    draw_text(box, f"Unfinished: {found.label}", "TIME")
    row = box.row(align=True)
    row.operator(LIKENESS_OT_resume_avatar.bl_idname, icon="PLAY")
    row.operator(LIKENESS_OT_discard_unfinished.bl_idname, text="", icon="TRASH")


def _draw_settings(layout: bpy.types.UILayout, scene: bpy.types.PropertyGroup) -> None:
    row = layout.row(align=True)
    row.prop(scene, "footage", text="", placeholder="A video of one head")
    row.operator(LIKENESS_OT_import_video.bl_idname, text="", icon="FILE_MOVIE")
    layout.prop(scene, "method", text="")
    layout.row().prop(scene, "preset", expand=True)
    layout.prop(scene, "match_scene")
    column = layout.column()
    column.scale_y = 1.5
    column.operator(LIKENESS_OT_create_avatar.bl_idname, icon="USER")


def _draw_work(layout: bpy.types.UILayout, job: bpy.types.PropertyGroup) -> None:
    layout.progress(factor=job.progress, text=f"{job.stage}  {job.progress:.0%}")
    if job.notice:
        draw_text(layout, job.notice, "INFO")
    picture = thumbnail.icon()
    if picture:
        layout.template_icon(picture, scale=7.0)
    row = layout.row()
    row.label(text=job_words.time_left_text(job.seconds_left))
    row.operator(LIKENESS_OT_cancel.bl_idname, text="Cancel", icon="X")


classes = (LIKENESS_PT_create,)
