"""The compositor group that lays avatars over a picture.

Gaussians learned colours and opacities as the screen shows them: blended over a background in
sRGB numbers. So where they are nearer than the render's depth, the picture is taken through the
view transform, they are laid over it, and the result is taken back to scene-linear light. Every
other pixel passes unchanged. They come premultiplied by alpha (render_engine.py).
"""

from __future__ import annotations

import bpy

from . import compositor_tree

NAME = "Likeness Avatars"
# Nodes of the group that follow the scene's view settings.
_EXPOSE, _VIEW, _UNDO_VIEW, _UNDO_EXPOSE = "Expose", "View", "Undo View", "Undo Expose"

# The colour space of what a view puts out.
VIEW_SPACES = {
    "Standard": "sRGB",
    "AgX": "AgX Base sRGB",
    "Filmic": "Filmic sRGB",
    "Khronos PBR Neutral": "Khronos PBR Neutral sRGB",
    "ACES 1.3": "ACES 1.3 sRGB",
    "ACES 2.0": "ACES 2.0 sRGB",
    "Raw": compositor_tree.SCENE_LINEAR,
}


def build() -> bpy.types.NodeTree:
    """A new group: Image, Depth, Avatars, Avatar Depth -> Image."""
    group = bpy.data.node_groups.new(NAME, "CompositorNodeTree")
    for name, kind in (
        ("Image", "NodeSocketColor"),
        ("Depth", "NodeSocketFloat"),
        ("Avatars", "NodeSocketColor"),
        ("Avatar Depth", "NodeSocketFloat"),
    ):
        group.interface.new_socket(name, in_out="INPUT", socket_type=kind)
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    given, result = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    depth = given.outputs["Avatar Depth"]
    mask = _is_nearer(group, depth, given.outputs["Depth"])
    shown = _convert(group, given.outputs["Image"], to_view=True)
    over = _over(group, shown, given.outputs["Avatars"], mask)
    light = _convert(group, over, to_view=False)
    seen = _math(group, "MULTIPLY", mask, depth)  # 0 where hidden or where there is no Gaussian
    chosen = _choose(group, seen, light, given.outputs["Image"])
    group.links.new(chosen, result.inputs["Image"])
    for index, node in enumerate(group.nodes):
        node.location = (200 * index, 0)
    return group


def match_view(group: bpy.types.NodeTree, view: bpy.types.ColorManagedViewSettings) -> None:
    """Make the group follow a view transform and an exposure. Writes only what differs."""
    nodes = group.nodes
    space = _view_space(view, nodes[_VIEW])
    for name, prop in ((_VIEW, "to_color_space"), (_UNDO_VIEW, "from_color_space")):
        if getattr(nodes[name], prop) != space:
            setattr(nodes[name], prop, space)
    for name, value in ((_EXPOSE, view.exposure), (_UNDO_EXPOSE, -view.exposure)):
        socket = nodes[name].inputs["Exposure"]
        if socket.default_value != value:
            socket.default_value = value


def inexact_colors_reason(view: bpy.types.ColorManagedViewSettings) -> str:
    """Why the avatars' colours will differ from the footage's in a render, or ''."""
    if view.view_transform not in VIEW_SPACES:
        return f"{view.view_transform} shifts avatar colours"
    if view.look != "None":
        return "The look shifts avatar colours"
    if view.gamma != 1 or view.use_curve_mapping:
        return "Gamma or curves shift their colours"
    return ""


def _view_space(view: bpy.types.ColorManagedViewSettings, convert: bpy.types.Node) -> str:
    spaces = convert.bl_rna.properties["from_color_space"].enum_items.keys()
    wanted = VIEW_SPACES.get(view.view_transform, "sRGB")
    return wanted if wanted in spaces else "sRGB"


def _convert(
    group: bpy.types.NodeTree, image: bpy.types.NodeSocket, to_view: bool
) -> bpy.types.NodeSocket:
    """Premultiplied scene-linear light to what the view shows of it, or back."""
    nodes = group.nodes
    straight = compositor_tree.new_alpha_convert(nodes, to_straight=True)
    convert = nodes.new("CompositorNodeConvertColorSpace")
    expose = nodes.new("CompositorNodeExposure")
    premultiplied = compositor_tree.new_alpha_convert(nodes, to_straight=False)
    if to_view:
        convert.name, expose.name = _VIEW, _EXPOSE
        convert.from_color_space = compositor_tree.SCENE_LINEAR
        chain = (straight, expose, convert, premultiplied)
    else:
        convert.name, expose.name = _UNDO_VIEW, _UNDO_EXPOSE
        convert.to_color_space = compositor_tree.SCENE_LINEAR
        chain = (straight, convert, expose, premultiplied)
    for node in chain:
        group.links.new(image, node.inputs["Image"])
        image = node.outputs["Image"]
    return image


def _over(
    group: bpy.types.NodeTree,
    under: bpy.types.NodeSocket,
    image: bpy.types.NodeSocket,
    mask: bpy.types.NodeSocket | None = None,
) -> bpy.types.NodeSocket:
    over = group.nodes.new("CompositorNodeAlphaOver")
    background, foreground, factor = compositor_tree.over_inputs(over)
    group.links.new(under, background)
    group.links.new(image, foreground)
    if mask is not None:
        group.links.new(mask, factor)
    return over.outputs[0]


def _choose(
    group: bpy.types.NodeTree,
    mask: bpy.types.NodeSocket,
    inside: bpy.types.NodeSocket,
    outside: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """`inside` where the mask is above 0, else `outside`; both premultiplied, alpha included.

    Going through the view and back would clip what is brighter than the view can show.
    """
    within = _math(group, "GREATER_THAN", mask, 0.0)
    without = _math(group, "SUBTRACT", 1.0, within)
    parts = []
    for image, share in ((outside, without), (inside, within)):
        part = compositor_tree.new_mask(group.nodes)
        group.links.new(image, part.inputs["Image"])
        group.links.new(share, part.inputs["Alpha"])
        parts.append(part.outputs[0])
    return _over(group, *parts)


def _is_nearer(
    group: bpy.types.NodeTree, near: bpy.types.NodeSocket, far: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """1 where `near` <= `far`, smoothed: a render's depth has one sample per pixel."""
    smooth = group.nodes.new("CompositorNodeAntiAliasing")
    group.links.new(_math(group, "LESS_THAN", far, near), smooth.inputs[0])
    return _math(group, "SUBTRACT", 1.0, smooth.outputs[0])


def _math(
    group: bpy.types.NodeTree, operation: str, *values: bpy.types.NodeSocket | float
) -> bpy.types.NodeSocket:
    node = group.nodes.new("ShaderNodeMath")
    node.operation = operation
    for value, socket in zip(values, node.inputs, strict=False):
        if isinstance(value, float):
            socket.default_value = value
        else:
            group.links.new(value, socket)
    return node.outputs[0]
