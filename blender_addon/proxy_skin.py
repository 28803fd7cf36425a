"""What rays see of an avatar: its proxy head in the Gaussians' mean colours.

The camera sees the Gaussians and not the proxy head; mirrors, glass and bounced light see only the
proxy head. To reflections and through glass it shows the footage's colours as they are, as the
Gaussians do; to everything else it is a matt surface of these colours in the scene's light.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.baked import COLORS, OPACITY, SCALES, BakedAvatar
from .coordinates import linear_from_srgb

COLOR = "likeness_color"  # attribute of the proxy head's vertices, linear Rec.709
_NAME = "Likeness Skin"
_ROUNDS = 12  # edges that colours go beyond the last vertex that carries Gaussians


def paint(proxy: bpy.types.Object, avatar: BakedAvatar) -> None:
    """Give the proxy head the colours of its Gaussians, and a material unless it has one."""
    mesh = proxy.data
    colors = np.ones((len(mesh.vertices), 4), np.float32)
    colors[:, :3] = linear_from_srgb(np.clip(vertex_colors(avatar), 0, 1))
    attribute = mesh.attributes.get(COLOR) or mesh.attributes.new(COLOR, "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set("color", colors.ravel())
    if not mesh.materials:
        mesh.materials.append(bpy.data.materials.get((_NAME, None)) or _material())


def remove_unused() -> None:
    """Delete the material when no proxy head of the file wears it any more."""
    material = bpy.data.materials.get((_NAME, None))
    if material is not None and material.users == 0:
        bpy.data.materials.remove(material)


def vertex_colors(avatar: BakedAvatar) -> np.ndarray:
    """Mean colours [V, 3] (display-referred sRGB) of the Gaussians round each vertex of the head.

    Weighted by opacity, area and nearness; a vertex without Gaussians takes its neighbours'.
    """
    faces, base = avatar.head.faces, np.asarray(avatar.base, np.float64)
    count = len(avatar.head.vertices)
    sizes = np.sort(np.exp(base[:, SCALES]), axis=1)
    amounts = sizes[:, 1] * sizes[:, 2] / (1 + np.exp(-base[:, OPACITY]))
    shares = avatar.binding.barycentric * amounts[:, None]  # [N, 3]
    corners = faces[avatar.binding.face].ravel()
    weights = np.bincount(corners, shares.ravel(), count)
    sums = np.stack(
        [
            np.bincount(corners, (shares * channel[:, None]).ravel(), count)
            for channel in base[:, COLORS].T
        ],
        axis=1,
    )
    usual = sums.sum(0) / max(weights.sum(), 1e-12)
    known = weights > 1e-6 * weights.max(initial=1e-12)
    colors = np.where(known[:, None], sums / np.maximum(weights, 1e-12)[:, None], usual)
    return _spread(colors, known, faces)


def _spread(colors: np.ndarray, known: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Colours [V, 3] with those of vertices that are not `known` [V] filled from beside them."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    for _ in range(_ROUNDS):
        reached = edges[known[edges[:, 0]] & ~known[edges[:, 1]]]
        if not len(reached):
            break
        sources, targets = reached.T
        neighbours = np.bincount(targets, minlength=len(known))
        new = neighbours > 0
        for channel in colors.T:
            sums = np.bincount(targets, channel[sources], len(known))
            channel[new] = sums[new] / neighbours[new]
        known = known | new
    return colors


def _material() -> bpy.types.Material:
    """Matt in the scene's light; as filmed where a ray was mirrored or went through glass."""
    material = bpy.data.materials.new(_NAME)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    color, rays = tree.nodes.new("ShaderNodeAttribute"), tree.nodes.new("ShaderNodeLightPath")
    color.attribute_name = COLOR
    seen = tree.nodes.new("ShaderNodeMath")
    seen.operation = "MAXIMUM"
    matt, filmed = tree.nodes.new("ShaderNodeBsdfDiffuse"), tree.nodes.new("ShaderNodeEmission")
    mix, output = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeOutputMaterial")
    links = tree.links
    links.new(rays.outputs["Is Glossy Ray"], seen.inputs[0])
    links.new(rays.outputs["Is Transmission Ray"], seen.inputs[1])
    for shader in (matt, filmed):
        links.new(color.outputs["Color"], shader.inputs["Color"])
    links.new(seen.outputs[0], mix.inputs[0])
    links.new(matt.outputs[0], mix.inputs[1])
    links.new(filmed.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], output.inputs["Surface"])
    for column, node in enumerate((color, rays, seen, matt, filmed, mix, output)):
        node.location = (200 * column, 0)
    material.cycles.emission_sampling = "NONE"  # it lights nothing
    return material
