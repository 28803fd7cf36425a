"""The avatars' place in a scene's compositor: put in, kept current, and taken out without trace.

    user's graph -> [Likeness Avatars] -> output
    avatar layer (a Render Layers node of a small second scene) -^

What the group does is in avatar_group.py; what the layer draws, in render_engine.py.
"""

from __future__ import annotations

import json
from typing import Any

import bpy

from . import avatar_group, compositor_tree

MARK = "likeness"  # custom property of every node that is ours


def is_set_up(scene: bpy.types.Scene) -> bool:
    """Whether renders of the scene show its avatars."""
    return scene.likeness_render.layer is not None and find_group_node(scene) is not None


def is_half_removed(scene: bpy.types.Scene) -> bool:
    """Whether the user has deleted a part of the set-up: the layer's scene or the group."""
    return not is_set_up(scene) and bool(scene.likeness_render.undo_record)


def find_group_node(scene: bpy.types.Scene) -> bpy.types.Node | None:
    """Our group node in the scene's compositor, wherever the user has moved it."""
    tree = compositor_tree.find_tree(scene)
    nodes = _marked(tree) if tree else []
    return next((node for node in nodes if node.bl_idname == "CompositorNodeGroup"), None)


def insert(scene: bpy.types.Scene) -> None:
    """Insert the avatar layer `scene.likeness_render.layer` before the compositor's output."""
    render = scene.render
    record: dict[str, Any] = {
        "use_compositing": render.use_compositing,
        "compositor_device": render.compositor_device,
    }
    tree = compositor_tree.find_tree(scene)
    if tree is None:
        tree = compositor_tree.make_tree(scene)
        record["made_tree_nodes"] = len(tree.nodes)
    output = compositor_tree.find_output(tree)
    if output is None:
        output = _add_output(tree)
    render.use_compositing = True
    renders = _render_nodes(tree, scene) or [_add_render_node(tree, scene)]
    record["without_depth"] = _enable_depth(scene, renders)
    source = output.links[0].from_socket if output.is_linked else renders[0].outputs["Image"]
    group = _mark(tree.nodes.new("CompositorNodeGroup"))
    group.node_tree = avatar_group.build()
    group.width = 180
    group.location = (output.node.location.x - 220, output.node.location.y - 180)
    layer = _mark(tree.nodes.new("CompositorNodeRLayers"))
    layer.scene = scene.likeness_render.layer
    layer.label = "Avatars"
    layer.location = (group.location.x - 260, group.location.y - 140)
    links = tree.links
    links.new(source, group.inputs["Image"])
    links.new(_nearest_depth(tree, renders), group.inputs["Depth"])
    links.new(layer.outputs["Image"], group.inputs["Avatars"])
    links.new(layer.outputs["Depth"], group.inputs["Avatar Depth"])
    for name in ("Spread", "Holdout", "Obstacles"):
        links.new(layer.outputs[name], group.inputs[name])
    links.new(group.outputs["Image"], output)
    scene.likeness_render.undo_record = json.dumps(record)
    match_view(scene)


def take_out(scene: bpy.types.Scene) -> None:
    """Remove what `insert` made and restore what it changed; the user's graph closes again."""
    tree = compositor_tree.find_tree(scene)
    record = json.loads(scene.likeness_render.undo_record or "{}")
    if tree is not None:
        for node in _marked(tree):
            if node.bl_idname == "CompositorNodeGroup":
                _bridge(tree, node)
        groups = {node.node_tree for node in _marked(tree) if hasattr(node, "node_tree")} - {None}
        for node in _marked(tree):
            tree.nodes.remove(node)
        for group in groups:
            if not group.users:
                bpy.data.node_groups.remove(group)
        if len(tree.nodes) <= record.get("made_tree_nodes", -1):  # the user added none
            compositor_tree.discard_tree(scene)
    for name in record.get("without_depth", ()):
        if name in scene.view_layers:
            scene.view_layers[name].use_pass_z = False
    for name in ("use_compositing", "compositor_device"):
        if name in record:
            setattr(scene.render, name, record[name])
    scene.likeness_render.undo_record = ""


def match_view(scene: bpy.types.Scene) -> None:
    """Make the group follow the scene's present view transform and exposure."""
    node = find_group_node(scene)
    if node is not None and node.node_tree is not None:
        avatar_group.match_view(node.node_tree, scene.view_settings)


def _mark(node: bpy.types.Node) -> bpy.types.Node:
    node[MARK] = True
    return node


def _marked(tree: bpy.types.NodeTree) -> list[bpy.types.Node]:
    return [node for node in tree.nodes if node.get(MARK)]


def _bridge(tree: bpy.types.NodeTree, node: bpy.types.Node) -> None:
    """Connect what comes into the group's Image with what its Image goes to."""
    image = node.inputs["Image"]
    source = image.links[0].from_socket if image.is_linked else None
    for target in [link.to_socket for link in node.outputs["Image"].links]:
        if source is not None and not source.node.get(MARK):
            tree.links.new(source, target)


def _render_nodes(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> list[bpy.types.Node]:
    return [
        node
        for node in tree.nodes
        if node.bl_idname == "CompositorNodeRLayers" and node.scene == scene and not node.mute
    ]


def _add_render_node(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> bpy.types.Node:
    node = _mark(tree.nodes.new("CompositorNodeRLayers"))
    node.scene = scene
    return node


def _add_output(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    if not compositor_tree.IS_LEGACY and not any(
        item.in_out == "OUTPUT" for item in tree.interface.items_tree
    ):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    kind = "CompositorNodeComposite" if compositor_tree.IS_LEGACY else "NodeGroupOutput"
    return _mark(tree.nodes.new(kind)).inputs[0]


def _enable_depth(scene: bpy.types.Scene, renders: list[bpy.types.Node]) -> list[str]:
    """Turn the depth pass on where it is read; the names of the layers that had none."""
    layers = [scene.view_layers[node.layer] for node in renders]
    without = [layer.name for layer in layers if not layer.use_pass_z]
    for layer in layers:
        layer.use_pass_z = True
    return without


def _nearest_depth(tree: bpy.types.NodeTree, renders: list[bpy.types.Node]) -> bpy.types.NodeSocket:
    """The depth of the nearest surface over all view layers that the graph uses."""
    depth = renders[0].outputs["Depth"]
    for other in renders[1:]:
        nearest = _mark(tree.nodes.new("ShaderNodeMath"))
        nearest.operation = "MINIMUM"
        nearest.location = (other.location.x + 280, other.location.y)
        tree.links.new(depth, nearest.inputs[0])
        tree.links.new(other.outputs["Depth"], nearest.inputs[1])
        depth = nearest.outputs[0]
    return depth
