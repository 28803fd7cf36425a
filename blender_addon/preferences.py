"""The extension's preferences: which Python runs the avatar engine, and on what."""

from __future__ import annotations

import bpy

# The extension's package, which Blender names: `bl_ext.user_default.likeness`.
EXTENSION = (__package__ or "").rpartition(".")[0]


class LikenessPreferences(bpy.types.AddonPreferences):
    bl_idname = EXTENSION

    engine_python: bpy.props.StringProperty(
        name="Python of the Avatar Engine",
        description="An interpreter in which the avatar engine's packages are installed. "
        "Empty: the environment that Set Up Avatar Engine makes",
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Learn On",
        description="What the avatar engine computes with",
        items=[
            ("auto", "Automatic", "The graphics card where it can be used, else the processor"),
            ("cpu", "Processor", "Always the processor"),
            ("cuda", "NVIDIA Graphics Card", "Always CUDA"),
        ],
    )

    processor: bpy.props.EnumProperty(
        name="Packages For",
        description="Which PyTorch Set Up Avatar Engine installs",
        items=[
            ("auto", "Automatic", "For NVIDIA cards where their driver is found"),
            ("cpu", "Processor", "About 1 GB"),
            ("cuda", "NVIDIA Graphics Card", "About 3 GB"),
        ],
    )
    wheels: bpy.props.StringProperty(
        name="Offline Packages",
        description="A folder with every package as a .whl file: the set-up takes them from there "
        "and needs no network. Empty: from pypi.org and pytorch.org",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        job = context.window_manager.likeness
        layout.prop(self, "engine_python")
        layout.prop(self, "device")
        layout.separator()
        layout.prop(self, "processor")
        layout.prop(self, "wheels")
        if job.running:
            layout.progress(factor=job.progress, text=job.stage)
            layout.operator("likeness.cancel", icon="X")
        else:
            row = layout.row()
            row.operator("likeness.set_up_engine", icon="IMPORT")
            row.operator("likeness.repair_engine", icon="TOOL_SETTINGS")
            row.operator("likeness.remove_engine", icon="TRASH")
        if job.error:
            layout.label(text=job.error, icon="ERROR")
        row = layout.row()
        row.operator("likeness.show_set_up_log", icon="TEXT")
        row.operator("likeness.open_manual", icon="HELP")


def preferences(context: bpy.types.Context) -> LikenessPreferences:
    return context.preferences.addons[EXTENSION].preferences


classes = (LikenessPreferences,)
