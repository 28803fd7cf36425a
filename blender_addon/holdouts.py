"""Meshes that hold out: they cut a hole into the render, and so they hide avatars.

Cycles gives them no depth, so the avatar layer draws it. Only meshes count; a material's Holdout
shader is not looked for. Avatars that hold out are another matter: render_avatars.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from . import avatar_object, mesh_depth
from .cpu_splats import View


def find(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    """Meshes that hold out in a view layer of the scene, themselves or by their collection."""
    for view_layer in scene.view_layers:
        if view_layer.use:
            yield from _of_branch(view_layer.layer_collection, False)


def _of_branch(branch: bpy.types.LayerCollection, held: bool) -> Iterator[bpy.types.Object]:
    if branch.exclude or branch.collection.hide_render:
        return
    held = held or branch.holdout
    for obj in branch.collection.objects:
        if obj.type == "MESH" and (held or obj.is_holdout) and not avatar_object.is_avatar(obj):
            yield obj
    for child in branch.children:
        yield from _of_branch(child, held)


def depth(depsgraph: bpy.types.Depsgraph, source: bpy.types.Scene, view: View) -> np.ndarray:
    """Distance [H, W] along the view axis to the nearest mesh of the source that holds out."""
    held = set(find(source))
    triangles = [np.zeros((0, 3, 3))]
    for instance in depsgraph.object_instances if held else ():
        obj = instance.object
        if obj.original in held and not obj.hide_render and instance.show_self:
            triangles.append(_triangles(obj.data, np.array(instance.matrix_world)))
    return mesh_depth.rasterize(np.concatenate(triangles), view)


def _triangles(mesh: bpy.types.Mesh, matrix: np.ndarray) -> np.ndarray:
    """Corners [T, 3, 3] of an evaluated mesh's triangles in the world."""
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions)
    mesh.calc_loop_triangles()
    corners = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    places = positions.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return places[corners].reshape(-1, 3, 3)
