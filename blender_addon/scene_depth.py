"""Depth of the scene's meshes, drawn by ourselves where the viewport leaves none to test against.

Only needed in EEVEE's modes with overlays off. Curves, volumes and grease pencil are not drawn: in
these modes they do not hide avatars.
"""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from . import avatar_object

# By address of the evaluated mesh; what was drawn is compared, so a reused address does no harm.
_batches: dict[int, tuple[np.ndarray, gpu.types.GPUBatch]] = {}


def forget() -> None:
    """Drop what is kept of meshes; for a new file and for unregistering."""
    _batches.clear()


def draw(depsgraph: bpy.types.Depsgraph, space: bpy.types.SpaceView3D) -> None:
    """Fill the depth of the bound frame buffer; the view's matrices are Blender's current ones."""
    gpu.state.active_framebuffer_get().clear(depth=1.0)
    gpu.state.depth_mask_set(True)
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.blend_set("NONE")
    gpu.state.color_mask_set(False, False, False, False)
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    drawn = set()
    for instance in depsgraph.object_instances:
        obj = instance.object
        if not _hides(instance, space):
            continue
        batch = _batch(obj.data, shader)
        drawn.add(obj.data.as_pointer())
        with gpu.matrix.push_pop():
            gpu.matrix.multiply_matrix(instance.matrix_world)
            batch.draw(shader)
    for stale in set(_batches) - drawn:
        del _batches[stale]
    gpu.state.color_mask_set(True, True, True, True)


def _hides(instance: bpy.types.DepsgraphObjectInstance, space: bpy.types.SpaceView3D) -> bool:
    """Whether an instance is a mesh that the view shows as a surface."""
    obj = instance.object
    shower = instance.parent if instance.is_instance else obj
    return (
        instance.show_self
        and obj.type == "MESH"
        and len(obj.data.polygons) > 0
        and obj.display_type in {"SOLID", "TEXTURED"}
        and obj.visible_camera
        and not avatar_object.is_avatar(obj)
        and shower.original.visible_in_viewport_get(space)
    )


def _batch(mesh: bpy.types.Mesh, shader: gpu.types.GPUShader) -> gpu.types.GPUBatch:
    """The mesh's triangles; made again only when its vertices have moved."""
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions)
    kept = _batches.get(mesh.as_pointer())
    if kept is not None and np.array_equal(kept[0], positions):
        return kept[1]
    mesh.calc_loop_triangles()
    triangles = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    batch = batch_for_shader(
        shader,
        "TRIS",
        {"pos": positions.reshape(-1, 3)},
        indices=triangles.reshape(-1, 3),
    )
    _batches[mesh.as_pointer()] = (positions, batch)
    return batch
