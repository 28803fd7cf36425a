"""An avatar as Blender's own Gaussian splats (5.3 and later): a point cloud, still or kept in step.

Blender draws them in EEVEE, Cycles and Workbench with hashed alpha and blends them in linear light,
so they are noisier and a little lighter than our own drawing; but lights, glass, mirrors and depth
of field know them. The cloud is a child of the proxy head and in its space: Blender turns splats
only with their object. What a build can do is asked of it, never told from its version.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.baked import GaussianArrays
from ..engine.api.errors import LikenessError
from . import avatar_object

SPLATS = "GAUSSIAN_SPLAT"  # of PointCloud.type
DC = 0.28209479177387814  # the spherical harmonic of degree 0: colour = 0.5 + DC * coefficient
ATTRIBUTES = (
    ("position", "FLOAT_VECTOR", "vector"),
    ("scale", "FLOAT_VECTOR", "vector"),  # standard deviations
    ("rotation", "QUATERNION", "value"),  # w, x, y, z
    ("radiance:base", "FLOAT4", "vector"),  # coefficients of degree 0, opacity
)
# Blender packs into the range of all splats, 8 or 9 bits each: a range that changed from frame to
# frame would make the head shimmer, and one outlier would coarsen the rest. So values are held
# inside fixed ranges, and two invisible splats span them.
SCALES = (1e-5, 0.05)  # metres
COLORS = (-0.1, 1.1)
_ROOM = 1.0  # of the head's size
_MODIFIER = "Keep Motion"

_written: dict[int, GaussianArrays] = {}  # by session_uid of the cloud


def can_store() -> bool:
    """Whether point clouds of this Blender can hold splats (5.2), drawn or not."""
    kinds = bpy.types.Attribute.bl_rna.properties["data_type"].enum_items.keys()
    return "resize" in bpy.types.PointCloud.bl_rna.functions and "FLOAT4" in kinds


def missing_reason() -> str:
    """What this Blender lacks for native splats, or ''."""
    kind = bpy.types.PointCloud.bl_rna.properties.get("type")
    if not can_store() or kind is None or SPLATS not in kind.enum_items:
        return "Needs a Blender that draws Gaussian splats itself: 5.3 or later"
    return ""


def convert(context: bpy.types.Context, proxy: bpy.types.Object, live: bool) -> bpy.types.Object:
    """A point cloud of the avatar's Gaussians as they are now; a live one follows it and is shown
    instead of it. Raises LikenessError when the avatar cannot be evaluated."""
    cloud = bpy.data.pointclouds.new(f"{proxy.name} Splats")
    obj = bpy.data.objects.new(cloud.name, cloud)
    for collection in proxy.users_collection:
        collection.objects.link(obj)
    _write(cloud, _gaussians(proxy, context.evaluated_depsgraph_get()))
    if hasattr(cloud, "type"):
        cloud.type = SPLATS
    # Without a modifier Cycles gives point clouds no motion blur.
    obj.modifiers.new(_MODIFIER, "NODES").node_group = _pass_through()
    if live:
        remove(proxy)
        obj.parent = proxy
        proxy.likeness.native = obj
    else:
        obj.matrix_world = proxy.matrix_world.copy()
    return obj


def remove(proxy: bpy.types.Object) -> None:
    """Delete the live point cloud of an avatar; it is shown as before."""
    obj = proxy.likeness.native
    proxy.likeness.native = None
    if obj is not None:
        cloud = obj.data
        bpy.data.objects.remove(obj)
        if cloud.users == 0:
            bpy.data.pointclouds.remove(cloud)


def follow(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Bring every live point cloud of the scene in step with its avatar; idle ones are free."""
    if not bpy.data.pointclouds:
        return
    for proxy in [obj for obj in scene.objects if avatar_object.shows_natively(obj)]:
        cloud = proxy.likeness.native.data
        try:
            gaussians = _gaussians(proxy, depsgraph)
        except LikenessError:
            continue  # the viewport says why
        if _written.get(cloud.session_uid) is not gaussians:
            _write(cloud, gaussians)
            cloud.update_tag()


@bpy.app.handlers.persistent
def follow_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """`frame_change_post`, `depsgraph_update_post`: the proxy heads are evaluated."""
    if depsgraph is not None:
        follow(scene, depsgraph)


@bpy.app.handlers.persistent
def forget(*_: object) -> None:
    """`undo_post`, `redo_post`, `load_post`: clouds may hold what they held before."""
    _written.clear()


def handlers() -> tuple[tuple[list, object], ...]:
    """Where each of this module's functions is called."""
    calls = bpy.app.handlers
    return (
        (calls.frame_change_post, follow_change),
        (calls.depsgraph_update_post, follow_change),
        (calls.undo_post, forget),
        (calls.redo_post, forget),
        (calls.load_post, forget),
    )


def register_handlers() -> None:
    for calls, function in handlers():
        calls.append(function)


def unregister_handlers() -> None:
    for calls, function in handlers():
        calls.remove(function)
    forget()


def _gaussians(proxy: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> GaussianArrays:
    """The Gaussians of the avatar's level, in its proxy head's space."""
    return avatar_object.pose(proxy, depsgraph, avatar_object.shown_count(proxy))


def _write(cloud: bpy.types.PointCloud, gaussians: GaussianArrays) -> None:
    """Give the cloud these Gaussians and two sentinels."""
    values = splat_values(gaussians)
    if len(cloud.points) != len(values["position"]):
        cloud.resize(len(values["position"]))
    for name, kind, _ in ATTRIBUTES:
        if name not in cloud.attributes:
            cloud.attributes.new(name, kind, "POINT")
    # Looked up only now: adding an attribute may move the others.
    for name, _, prop in ATTRIBUTES:
        flat = np.ascontiguousarray(values[name], np.float32).ravel()
        cloud.attributes[name].data.foreach_set(prop, flat)
    _written[cloud.session_uid] = gaussians


def splat_values(gaussians: GaussianArrays) -> dict[str, np.ndarray]:
    """Values of ATTRIBUTES for N Gaussians and two sentinels: [N + 2, 3 or 4] each."""
    low, high = gaussians.means.min(axis=0), gaussians.means.max(axis=0)
    # In steps of the head's size, so that a turn of the neck does not change the range.
    step = max(float((high - low).max()), 1e-6) * _ROOM
    step = 2.0 ** np.ceil(np.log2(step))
    corners = np.stack([np.floor(low / step) * step, np.ceil(high / step) * step])
    base = np.column_stack(
        [(np.clip(gaussians.colors, *COLORS) - 0.5) / DC, np.asarray(gaussians.opacities)]
    )
    spans = np.array([[(bound - 0.5) / DC] * 3 + [0.0] for bound in COLORS])
    return {
        "position": np.concatenate([gaussians.means, corners]),
        "scale": np.concatenate(
            [np.clip(gaussians.scales, *SCALES), np.repeat(SCALES, 3).reshape(2, 3)]
        ),
        "rotation": np.concatenate([gaussians.quats, [[1, 0, 0, 0]] * 2]),
        "radiance:base": np.concatenate([base, spans]),
    }


def _pass_through() -> bpy.types.NodeTree:
    """The node group that changes nothing; one for all clouds of the file."""
    tree = bpy.data.node_groups.get(_MODIFIER)
    if tree is None:
        tree = bpy.data.node_groups.new(_MODIFIER, "GeometryNodeTree")
        for direction in ("INPUT", "OUTPUT"):
            tree.interface.new_socket(
                "Geometry", in_out=direction, socket_type="NodeSocketGeometry"
            )
        given, result = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
        tree.links.new(given.outputs[0], result.inputs[0])
    return tree
