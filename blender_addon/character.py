"""Builds an avatar as an ordinary Blender character: proxy head, shape keys, rig, footage camera.

The posed proxy head equals `HeadModel.pose` (a test holds it to 1e-5). It does not animate
(animation.py) and does not evaluate Gaussians (avatar_object.py).
"""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.baked import BakedAvatar
from ..engine.api.head import JOINT_PARENTS, JOINTS, HeadModel
from . import controls, gaze, payload, proxy_skin
from .avatar_object import BONES, find_rig, read, reduced_name
from .coordinates import vectors_to_blender

# Direction and length of each bone from its joint in head axes, metres: for the eye, not the pose.
_BONE_VECTORS = {
    "root": (0.0, 0.06, 0.0),
    "neck": (0.0, 0.1, 0.0),
    "jaw": (0.0, -0.03, 0.08),
    "eye_left": (0.0, 0.0, 0.04),
    "eye_right": (0.0, 0.0, 0.04),
}
_HIDDEN_BONES = "Driven"


def build(
    context: bpy.types.Context, avatar: BakedAvatar, stored: bpy.types.Mesh | None = None
) -> bpy.types.Object:
    """Add the avatar to the active collection, select it and return its proxy head.

    `stored` is its payload where that is written already. Raises LayoutError when the avatar breaks
    a rule of the file format.
    """
    stored = stored or payload.store(payload.arrange(avatar))
    mesh = _proxy_mesh(avatar.head, avatar.name)
    proxy = bpy.data.objects.new(avatar.name, mesh)
    rig = bpy.data.objects.new(f"{avatar.name} Rig", bpy.data.armatures.new(f"{avatar.name} Rig"))
    for obj in (rig, proxy):
        context.collection.objects.link(obj)
    _write_shape_keys(proxy, avatar)
    _add_bones(context, rig, avatar.head)
    controls.add_rings(rig, avatar.head.joint_positions)
    _bind(proxy, rig, avatar.head)
    gaze.add_drivers(rig, proxy)
    proxy.likeness.payload = stored
    proxy_skin.paint(proxy, avatar)
    _hide_behind_gaussians(proxy)
    select_only(context, proxy)
    return proxy


def can_replace(proxy: bpy.types.Object, avatar: BakedAvatar) -> bool:
    """Whether the avatar is another state of the one that is there: same head mesh, same joints."""
    present = read(proxy).head
    return (
        present.expression_names == avatar.head.expression_names
        and np.array_equal(present.faces, avatar.head.faces)
        and np.allclose(present.joint_positions, avatar.head.joint_positions, atol=1e-6)
        and proxy.data.shape_keys is not None
    )


def replace(
    proxy: bpy.types.Object, avatar: BakedAvatar, stored: bpy.types.Mesh | None = None
) -> None:
    """Put another state of the avatar in place; keys, rig and animation stay.

    For previews while an avatar learns. The rest shape follows the new head.
    """
    old, before = proxy.likeness.payload, read(proxy)
    proxy.likeness.payload = stored or payload.store(payload.arrange(avatar))
    if _same_shapes(before, avatar):
        _write_slider_ranges(proxy, avatar)
    else:
        _write_shape_keys(proxy, avatar)
        proxy.data.vertices.foreach_set("co", vectors_to_blender(avatar.head.vertices).ravel())
        proxy.data.update()
    proxy_skin.paint(proxy, avatar)
    if old is not None and old.users == 0:
        bpy.data.meshes.remove(old)


def _same_shapes(one: BakedAvatar, other: BakedAvatar) -> bool:
    """Whether two avatars have the same shape keys; most previews of a fit have."""
    return (
        len(one.deltas) == len(other.deltas)
        and np.array_equal(one.head.vertices, other.head.vertices)
        and np.array_equal(one.head.expression_deltas, other.head.expression_deltas)
    )


def remove(proxy: bpy.types.Object) -> None:
    """Delete the avatar: proxy head, rig, camera, native splats and whatever only they used."""
    avatar = proxy.likeness
    family = {proxy, find_rig(proxy), avatar.camera, avatar.native} - {None}
    users = bpy.data.user_map(subset=family)
    # A linked duplicate may hang on the same rig, and so may clothes.
    shared = {
        member
        for member in family - {proxy}
        if any(isinstance(user, bpy.types.Object) for user in users[member] - family)
    }
    doomed = list(family - shared)
    data = [obj.data for obj in doomed] + [avatar.payload]
    action = avatar.action
    bpy.data.batch_remove(doomed)
    bpy.data.batch_remove([block for block in data if block.users == 0])
    if action is not None and action.users == 0:  # the keys that used it went with the mesh
        bpy.data.actions.remove(action)
    controls.remove_unused()
    proxy_skin.remove_unused()


def select_only(context: bpy.types.Context, obj: bpy.types.Object) -> None:
    """Make the object the only selected and the active one."""
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj


def _proxy_mesh(head: HeadModel, name: str) -> bpy.types.Mesh:
    """The head's triangles in the head's order, with its UVs and regions."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vectors_to_blender(head.vertices), [], head.faces)
    uvs = mesh.uv_layers.new(name="UVMap")
    uvs.data.foreach_set("uv", np.ascontiguousarray(head.face_uvs, np.float32).ravel())
    regions = mesh.attributes.new("region", "INT", "FACE")
    regions.data.foreach_set("value", head.face_regions.astype(np.int32))
    mesh.shade_smooth()
    mesh.update()
    return mesh


def _shapes(avatar: BakedAvatar) -> list[tuple[str, np.ndarray]]:
    """Basis, expressions and reduced blendshapes: names and vertices [V, 3] in Blender's axes."""
    head = avatar.head
    basis = vectors_to_blender(head.vertices).astype(np.float32)
    shapes = [("Basis", basis)]
    for name, delta in zip(head.expression_names, head.expression_deltas, strict=True):
        shapes.append((name, basis + vectors_to_blender(delta).astype(np.float32)))
    # A reduced blendshape moves Gaussians, not the mesh: the key is a slider that can be animated.
    return shapes + [(reduced_name(k), basis) for k in range(len(avatar.deltas))]


def _write_shape_keys(proxy: bpy.types.Object, avatar: BakedAvatar) -> None:
    """Give every key its shape and its slider its range; a new key stands at 0."""
    keys = proxy.data.shape_keys
    present = set(keys.key_blocks.keys()) if keys else set()
    for name, shape in _shapes(avatar):
        if name not in present:
            proxy.shape_key_add(name=name, from_mix=False).value = 0.0  # 5.2 makes it 1
        proxy.data.shape_keys.key_blocks[name].data.foreach_set("co", shape.ravel())
    _write_slider_ranges(proxy, avatar)


def _write_slider_ranges(proxy: bpy.types.Object, avatar: BakedAvatar) -> None:
    """Blender clamps animated values to the slider, so it must reach what was tracked."""
    seen = np.asarray(avatar.performance.params.expression)
    reach = np.abs(seen).max(axis=0, initial=1.0)  # [E] never less than 1
    lowest = seen.min(axis=0, initial=0.0)
    names = avatar.head.expression_names
    reach_of = dict(zip(names, reach.tolist(), strict=True))
    lowest_of = dict(zip(names, lowest.tolist(), strict=True))
    for key in proxy.data.shape_keys.key_blocks:
        key.slider_max = reach_of.get(key.name, 1.0)
        key.slider_min = lowest_of.get(key.name, 0.0 if key.name == "Basis" else -1.0)


def _add_bones(context: bpy.types.Context, rig: bpy.types.Object, head: HeadModel) -> None:
    select_only(context, rig)
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    for index, joint in enumerate(JOINTS):
        parent = bones[BONES[JOINTS[JOINT_PARENTS[index]]]] if index else None
        if joint in gaze.LOOK_BONES:
            look = _add_bone(bones, gaze.LOOK_BONES[joint], head.joint_positions[index], joint)
            look.parent, parent = parent, look
        _add_bone(bones, BONES[joint], head.joint_positions[index], joint).parent = parent
    bpy.ops.object.mode_set(mode="OBJECT")
    hidden = rig.data.collections.new(_HIDDEN_BONES)
    shown = rig.data.collections.new("Controls")
    hidden.is_visible = False
    for bone in rig.data.bones:
        driven = bone.name in gaze.LOOK_BONES.values()
        bone.use_deform = not driven
        (hidden if driven else shown).assign(bone)
    rig.data.display_type = "STICK"
    rig.show_in_front = True


def _add_bone(
    bones: bpy.types.ArmatureEditBones, name: str, joint: np.ndarray, kind: str
) -> bpy.types.EditBone:
    bone = bones.new(name)
    bone.head = vectors_to_blender(joint).tolist()
    bone.tail = vectors_to_blender(joint + np.array(_BONE_VECTORS[kind])).tolist()
    bone.align_roll((0.0, 0.0, 1.0) if kind.startswith("eye") else (0.0, -1.0, 0.0))
    return bone


def _bind(proxy: bpy.types.Object, rig: bpy.types.Object, head: HeadModel) -> None:
    for index, joint in enumerate(JOINTS):
        group = proxy.vertex_groups.new(name=BONES[joint])
        weights = head.skin_weights[:, index]
        for weight in np.unique(weights[weights > 0]):  # few distinct values: few calls
            group.add(np.flatnonzero(weights == weight).tolist(), float(weight), "REPLACE")
    modifier = proxy.modifiers.new("Rig", "ARMATURE")
    modifier.object = rig
    proxy.parent = rig


def _hide_behind_gaussians(proxy: bpy.types.Object) -> None:
    """Shown as Gaussians only, but still there for shadows, selection and physics."""
    proxy.visible_camera = False
    # A solid proxy head would cover its own Gaussians in Solid mode, where rays have no say.
    proxy.display_type = "BOUNDS"
    proxy.show_in_front = False
