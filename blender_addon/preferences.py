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

    def draw(self, _: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine_python")
        layout.prop(self, "device")
        layout.operator("likeness.set_up_engine", icon="IMPORT")
        layout.operator("likeness.open_manual", icon="HELP")


def preferences(context: bpy.types.Context) -> LikenessPreferences:
    return context.preferences.addons[EXTENSION].preferences


classes = (LikenessPreferences,)
