"""What a scene remembers about rendering its avatars. Properties only."""

from __future__ import annotations

import bpy

DEVICES = (
    ("GPU", "GPU", "Draw with OpenGL, Vulkan or Metal. Without a window it is tried out first"),
    ("CPU", "CPU", "Draw exactly, without a graphics driver: slower, for render farms"),
)


class LikenessRenderSettings(bpy.types.PropertyGroup):
    """Held by a scene as `likeness_render`."""

    device: bpy.props.EnumProperty(
        name="Device", description="What draws the Gaussians in renders", items=DEVICES
    )
    depth_sharpness: bpy.props.FloatProperty(
        name="Depth Sharpness",
        description="How close the avatar's depth is to its outermost Gaussians, per head radius. "
        "Lower it if objects cut holes where they touch the head",
        default=20.0,
        min=1.0,
        soft_max=100.0,
    )
    level: bpy.props.IntProperty(
        name="Level",
        description="Level of detail in renders: 0 is every Gaussian, higher levels have fewer",
        default=0,
        min=0,
        max=8,
    )
    motion_samples: bpy.props.IntProperty(
        name="Motion Samples",
        description="Moments that are drawn of each frame when the scene has motion blur",
        default=8,
        min=2,
        soft_max=32,
    )
    lens_samples: bpy.props.IntProperty(
        name="Lens Samples",
        description="Points of the lens from which each frame is drawn when the camera has depth "
        "of field",
        default=32,
        min=4,
        soft_max=256,
    )
    light: bpy.props.FloatProperty(
        name="Scene Light",
        description="How much lamps and a plain world tint avatars, by the side they come from, in "
        "renders and where the viewport shows them. The light of the footage stays in the skin; 0 "
        "leaves avatars as filmed",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    layer: bpy.props.PointerProperty(
        name="Avatar Layer",
        description="The scene in which this scene's avatars are drawn for the compositor",
        type=bpy.types.Scene,
    )
    undo_record: bpy.props.StringProperty(
        description="What setting up changed, as JSON, so that removing can change it back",
        options={"HIDDEN"},
    )


classes = (LikenessRenderSettings,)


def register_properties() -> None:
    bpy.types.Scene.likeness_render = bpy.props.PointerProperty(type=LikenessRenderSettings)


def unregister_properties() -> None:
    del bpy.types.Scene.likeness_render
