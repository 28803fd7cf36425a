"""A scene's compositor tree in Blender 4.5 and in 5.x: the only file that knows how they differ.

4.5: `scene.use_nodes`, `scene.node_tree`, a Composite node, node options as properties.
5.x: `scene.compositing_node_group`, a Group Output node, node options as input sockets.
"""

from __future__ import annotations

import bpy

IS_LEGACY = bpy.app.version < (5, 0, 0)
# The name of the compositor's working space among the targets of Convert Colorspace.
SCENE_LINEAR = "Linear Rec.709" if IS_LEGACY else "scene_linear"


def find_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The tree the scene composites with, or None when it has none or it is switched off."""
    if not IS_LEGACY:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def make_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """A tree that passes the render through unchanged, for a scene without one."""
    if IS_LEGACY:
        scene.use_nodes = True  # makes Render Layers -> Composite unless a tree was there before
        tree = scene.node_tree
        if find_output(tree) is None:
            tree.nodes.new("CompositorNodeComposite").location = (600, 0)
    else:
        tree = bpy.data.node_groups.new(f"{scene.name} compositing", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        tree.nodes.new("NodeGroupOutput").location = (600, 0)
        scene.compositing_node_group = tree
    return tree


def discard_tree(scene: bpy.types.Scene) -> None:
    """Undo `make_tree`."""
    if IS_LEGACY:
        scene.use_nodes = False
    else:
        bpy.data.node_groups.remove(scene.compositing_node_group)


def find_output(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket | None:
    """The input socket whose image becomes the picture."""
    if IS_LEGACY:
        nodes = [node for node in tree.nodes if node.bl_idname == "CompositorNodeComposite"]
    else:
        nodes = [node for node in tree.nodes if node.bl_idname == "NodeGroupOutput"]
    nodes.sort(key=lambda node: not getattr(node, "is_active_output", True))
    sockets = [socket for node in nodes for socket in node.inputs if socket.type == "RGBA"]
    return sockets[0] if sockets else None


def new_alpha_convert(nodes: bpy.types.Nodes, to_straight: bool) -> bpy.types.Node:
    """An Alpha Convert node in the given direction."""
    node = nodes.new("CompositorNodePremulKey")
    if IS_LEGACY:
        node.mapping = "PREMUL_TO_STRAIGHT" if to_straight else "STRAIGHT_TO_PREMUL"
    else:
        node.inputs["Type"].default_value = "To Straight" if to_straight else "To Premultiplied"
    return node


def new_mask(nodes: bpy.types.Nodes) -> bpy.types.Node:
    """A Set Alpha node that multiplies all channels of its Image by its Alpha."""
    node = nodes.new("CompositorNodeSetAlpha")
    if IS_LEGACY:
        node.mode = "APPLY"
    else:
        node.inputs["Type"].default_value = "Apply Mask"
    return node


def over_inputs(
    node: bpy.types.Node,
) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Background, foreground and factor of an Alpha Over node."""
    by_id = {socket.identifier: socket for socket in node.inputs}
    if IS_LEGACY:
        return by_id["Image"], by_id["Image_001"], by_id["Fac"]
    return by_id["Background"], by_id["Foreground"], by_id["Fac"]


def new_mix(
    nodes: bpy.types.Nodes,
) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket, bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Factor, first colour, second colour and result of a node that mixes. Alpha is the first's."""
    if IS_LEGACY:
        node = nodes.new("CompositorNodeMixRGB")
        return *node.inputs[:3], node.outputs[0]
    node = nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    by_id = {socket.identifier: socket for socket in (*node.inputs, *node.outputs)}
    names = ("Factor_Float", "A_Color", "B_Color", "Result_Color")
    return tuple(by_id[name] for name in names)
