"""What objects, scenes and the window manager remember for Likeness. Properties only."""

from __future__ import annotations

import bpy

from ..engine.api.settings import METHODS, PRESETS
from . import avatar_object


def _active_row(_: bpy.types.PropertyGroup) -> int:
    """Row of the active avatar in the file's objects; the list follows the selection."""
    avatar = avatar_object.find_avatar(bpy.context.object)
    return bpy.data.objects.find(avatar.name) if avatar is not None else -1


def _choose_row(_: bpy.types.PropertyGroup, row: int) -> None:
    obj = bpy.data.objects[row]
    layer = bpy.context.view_layer
    if obj.name not in layer.objects or bpy.context.mode != "OBJECT":
        return
    for other in bpy.context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    layer.objects.active = obj


class LikenessAvatar(bpy.types.PropertyGroup):
    """Held by an object as `likeness`; an object with a payload is the proxy head of an avatar."""

    payload: bpy.props.PointerProperty(
        name="Gaussians",
        description="The mesh that stores the avatar",
        type=bpy.types.Mesh,
        override={"LIBRARY_OVERRIDABLE"},
    )
    level: bpy.props.IntProperty(
        name="Level of Detail",
        description="In the viewport: 0 shows every Gaussian, higher levels show fewer",
        default=0,
        min=0,
        max=8,
        override={"LIBRARY_OVERRIDABLE"},
    )
    automatic_level: bpy.props.BoolProperty(
        name="By Distance",
        description="In the viewport, show fewer Gaussians where the avatar is small",
        default=True,
        override={"LIBRARY_OVERRIDABLE"},
    )
    native: bpy.props.PointerProperty(
        name="Native Splats",
        description="The point cloud of Blender's own Gaussian splats that follows the avatar",
        type=bpy.types.Object,
        override={"LIBRARY_OVERRIDABLE"},
    )
    follow: bpy.props.FloatProperty(
        name="Learned Motion",
        description="How much expressions move the Gaussians on the head: skin that folds, hair, "
        "shading. 0 leaves that to the reduced sliders alone",
        default=1.0,
        min=0.0,
        max=2.0,
        soft_max=1.0,
        subtype="FACTOR",
        override={"LIBRARY_OVERRIDABLE"},
    )
    camera: bpy.props.PointerProperty(
        name="Footage Camera",
        description="The camera that films the avatar as the footage did",
        type=bpy.types.Object,
        override={"LIBRARY_OVERRIDABLE"},
    )
    action: bpy.props.PointerProperty(
        name="Performance",
        description="The performance tracked in the footage",
        type=bpy.types.Action,
        override={"LIBRARY_OVERRIDABLE"},
    )


class LikenessScene(bpy.types.PropertyGroup):
    """Held by a scene as `likeness`: the next avatar to create, and the list's active row."""

    footage: bpy.props.StringProperty(
        name="Footage",
        description="A video, an image sequence's folder, or one image of a single head",
        subtype="FILE_PATH",
    )
    method: bpy.props.EnumProperty(
        name="Method",
        description="How the Gaussians learn to move",
        items=[(name, method.label, method.description) for name, method in METHODS.items()],
    )
    preset: bpy.props.EnumProperty(
        name="Preset",
        description="How long the avatar learns",
        items=[
            (PRESETS[0], "Draft", "Minutes; coarse, to see whether the footage is good"),
            (PRESETS[1], "Standard", "A good avatar in some minutes on a laptop"),
            (PRESETS[2], "Best", "As in the paper; wants a graphics card"),
        ],
        default=PRESETS[1],
    )
    match_scene: bpy.props.BoolProperty(
        name="Match Footage",
        description="Give the scene the footage's camera, frame rate, length and picture size",
        default=True,
    )
    name_table: bpy.props.PointerProperty(
        name="Name Table",
        description="A text with other programs' names for expressions; empty uses the presets",
        type=bpy.types.Text,
    )
    active: bpy.props.IntProperty(
        name="Active Avatar",
        description="Row of the avatar list",
        options={"HIDDEN", "SKIP_SAVE"},
        get=_active_row,
        set=_choose_row,
    )


class LikenessJob(bpy.types.PropertyGroup):
    """Held by the window manager as `likeness`: the work that the avatar engine is doing now."""

    running: bpy.props.BoolProperty(options={"SKIP_SAVE"})
    stage: bpy.props.StringProperty(options={"SKIP_SAVE"})
    progress: bpy.props.FloatProperty(min=0, max=1, options={"SKIP_SAVE"})
    seconds_left: bpy.props.FloatProperty(default=-1, options={"SKIP_SAVE"})
    error: bpy.props.StringProperty(options={"SKIP_SAVE"})
    notice: bpy.props.StringProperty(options={"SKIP_SAVE"})


classes = (LikenessAvatar, LikenessScene, LikenessJob)


def register_properties() -> None:
    bpy.types.Object.likeness = bpy.props.PointerProperty(
        type=LikenessAvatar, override={"LIBRARY_OVERRIDABLE"}
    )
    bpy.types.Scene.likeness = bpy.props.PointerProperty(type=LikenessScene)
    bpy.types.WindowManager.likeness = bpy.props.PointerProperty(type=LikenessJob)


def unregister_properties() -> None:
    del bpy.types.WindowManager.likeness
    del bpy.types.Scene.likeness
    del bpy.types.Object.likeness
