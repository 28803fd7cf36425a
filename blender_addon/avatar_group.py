"""The compositor group that lays avatars over a picture.

Gaussians learned colours and opacities as the screen shows them: blended over a background in
sRGB numbers. So where they are nearer than the render's depth, the picture is taken through the
view transform, they are laid over it, and the result is taken back to scene-linear light. What
motion blur or depth of field has made transparent is light that was there for a while, and is laid
over as light; Spread says which it is. Every other pixel passes unchanged. Avatars come
premultiplied by alpha (render_engine.py, exposure.py).
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


_INPUTS = (
    ("Image", "NodeSocketColor"),
    ("Depth", "NodeSocketFloat"),
    ("Avatars", "NodeSocketColor"),
    ("Avatar Depth", "NodeSocketFloat"),
    ("Spread", "NodeSocketFloat"),
    ("Holdout", "NodeSocketFloat"),
    ("Obstacles", "NodeSocketFloat"),
)


def build() -> bpy.types.NodeTree:
    """A new group: the picture and the avatar layer's passes -> Image and Depth with avatars."""
    group = bpy.data.node_groups.new(NAME, "CompositorNodeTree")
    for name, kind in _INPUTS:
        group.interface.new_socket(name, in_out="INPUT", socket_type=kind)
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Depth", in_out="OUTPUT", socket_type="NodeSocketFloat")
    given = group.nodes.new("NodeGroupInput").outputs
    result = group.nodes.new("NodeGroupOutput").inputs
    nearest = _math(group, "MINIMUM", given["Depth"], given["Obstacles"])
    mask = _is_nearer(group, given["Avatar Depth"], nearest)
    cut = _math(group, "MULTIPLY", mask, given["Holdout"])
    behind = _scaled(group, given["Image"], _math(group, "SUBTRACT", 1.0, cut))
    blended = _blend(group, behind, given["Avatars"], mask, given["Spread"])
    # 0 where hidden or where there is no Gaussian
    seen = _math(group, "MULTIPLY", mask, given["Avatar Depth"])
    group.links.new(_choose(group, seen, blended, given["Image"]), result["Image"])
    depth = _nearest_depth(group, mask, given)
    group.links.new(depth, result["Depth"])
    for index, node in enumerate(group.nodes):
        node.location = (200 * index, 0)
    return group


def _blend(
    group: bpy.types.NodeTree,
    behind: bpy.types.NodeSocket,
    avatars: bpy.types.NodeSocket,
    mask: bpy.types.NodeSocket,
    spread: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """Avatars over the picture: as display numbers where spread is 0, as light where it is 1."""
    shown = _convert(group, behind, to_view=True)
    as_shown = _convert(group, _over(group, shown, avatars, mask), to_view=False)
    as_light = _over(group, behind, _convert(group, avatars, to_view=False), mask)
    factor, first, second, mixed = compositor_tree.new_mix(group.nodes)
    group.links.new(spread, factor)
    group.links.new(as_shown, first)
    group.links.new(as_light, second)
    return mixed


def _nearest_depth(
    group: bpy.types.NodeTree, mask: bpy.types.NodeSocket, given: bpy.types.NodeInputs
) -> bpy.types.NodeSocket:
    """The avatar's depth where it is in front and more than half opaque, else the render's."""
    parts = group.nodes.new("CompositorNodeSeparateColor")
    group.links.new(given["Avatars"], parts.inputs[0])
    opacity = _math(group, "MULTIPLY", mask, parts.outputs["Alpha"])
    front = _math(group, "GREATER_THAN", opacity, 0.5)
    behind = _math(group, "SUBTRACT", 1.0, front)
    # Empty pixels are at 1e10: a difference of the two would leave nothing of the avatar's.
    return _math(
        group,
        "ADD",
        _math(group, "MULTIPLY", front, given["Avatar Depth"]),
        _math(group, "MULTIPLY", behind, given["Depth"]),
    )


def match_view(group: bpy.types.NodeTree, view: bpy.types.ColorManagedViewSettings) -> None:
    """Make the group follow a view transform and an exposure. Writes only what differs."""
    space = _view_space(view, group.nodes[_VIEW])
    spaces = {_VIEW: "to_color_space", _UNDO_VIEW: "from_color_space"}
    exposures = {_EXPOSE: view.exposure, _UNDO_EXPOSE: -view.exposure}
    for node in group.nodes:
        role = node.name.split(".")[0]  # Blender numbers nodes of the same name
        if role in spaces and getattr(node, spaces[role]) != space:
            setattr(node, spaces[role], space)
        if role in exposures and node.inputs["Exposure"].default_value != exposures[role]:
            node.inputs["Exposure"].default_value = exposures[role]


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
    return _over(group, _scaled(group, outside, without), _scaled(group, inside, within))


def _scaled(
    group: bpy.types.NodeTree, image: bpy.types.NodeSocket, share: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """A share of a premultiplied image, alpha included."""
    part = compositor_tree.new_mask(group.nodes)
    group.links.new(image, part.inputs["Image"])
    group.links.new(share, part.inputs["Alpha"])
    return part.outputs[0]


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
