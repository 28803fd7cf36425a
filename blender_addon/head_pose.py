"""What a dependency graph makes of a proxy head: its vertices, its keys and bones.

Everything is read from evaluated data, which knows modifiers, constraints, drivers and animation;
original data is stale in renders. It knows no Gaussians (avatar_object.py).
"""

from __future__ import annotations

from typing import NamedTuple

import bpy
import numpy as np

from ..engine.api.errors import LikenessError
from ..engine.api.head import JOINT_PARENTS, JOINTS, HeadModel, HeadParams
from ..engine.api.rotations import rotvec_from_matrix
from .coordinates import vectors_to_blender, vectors_to_head

BONES = {
    "root": "root",
    "neck": "neck",
    "jaw": "jaw",
    "eye_left": "eye.L",
    "eye_right": "eye.R",
}  # joint of the head -> bone of the rig
REDUCED_PREFIX = "reduced."
_RESIZED = 1e-3  # of the head's size: a rest shape that differs by more has been edited


class HeadPose(NamedTuple):
    """One evaluated state of a proxy head."""

    vertices: np.ndarray  # [V, 3] float32, Blender's axes, the object's space
    params: HeadParams  # keys and bones; the rig's root and the object's place are not in it
    sliders: np.ndarray  # [K] the reduced blendshapes' keys
    reshaped: bool  # something beyond keys and bones shapes the head: a lattice, an applied scale
    follow: float  # how much the expressions' learned motion adds to the sliders

    def key(self) -> bytes:
        """Equal for equal poses."""
        params = self.params
        numbers = (params.expression, params.neck, params.jaw, params.eyes, self.sliders)
        follow = np.float32(self.follow)
        return b"".join([self.vertices.tobytes(), *(n.tobytes() for n in (*numbers, follow))])

    def undisturbed(self, head: HeadModel) -> np.ndarray:
        """The vertices [V, 3] that keys and bones alone would give, up to a rigid motion."""
        return vectors_to_blender(head.pose(self.params)).astype(np.float32)


def find_rig(obj: bpy.types.Object) -> bpy.types.Object | None:
    """The armature object that deforms the proxy head."""
    return obj.find_armature()


def reduced_name(index: int) -> str:
    """Shape key of a reduced blendshape."""
    return f"{REDUCED_PREFIX}{index:02d}"


def read(evaluated: bpy.types.Object, head: HeadModel, blendshapes: int) -> HeadPose:
    """The pose of an evaluated proxy head. Raises LikenessError when its vertices were changed."""
    keys = _key_values(evaluated)
    joints = _joint_rotations(evaluated)
    zero = np.zeros(3)
    params = HeadParams(
        expression=np.array([keys.get(name, 0.0) for name in head.expression_names]),
        neck=joints.get("neck", zero),
        jaw=joints.get("jaw", zero),
        eyes=np.stack([joints.get("eye_left", zero), joints.get("eye_right", zero)]),
        rotation=zero,
        translation=zero,
    )
    return HeadPose(
        vertices=_vertices(evaluated, len(head.vertices)),
        params=params,
        sliders=np.array([keys.get(reduced_name(k), 0.0) for k in range(blendshapes)], np.float32),
        reshaped=_is_reshaped(evaluated, head),
        follow=evaluated.likeness.follow,
    )


def _vertices(evaluated: bpy.types.Object, expected: int) -> np.ndarray:
    """Evaluated vertices [V, 3] in the object's space."""
    if evaluated.data.is_editmode:  # an evaluated mesh is empty while it is edited
        try:
            return _positions(evaluated.to_mesh(), evaluated.name, expected)
        finally:
            evaluated.to_mesh_clear()
    return _positions(evaluated.data, evaluated.name, expected)


def _positions(mesh: bpy.types.Mesh, name: str, expected: int) -> np.ndarray:
    if len(mesh.vertices) != expected:
        raise LikenessError(
            f"The proxy head of '{name}' has {len(mesh.vertices)} vertices after its "
            f"modifiers, not {expected}.",
            "Take away modifiers that add or remove vertices, such as Subdivision.",
        )
    positions = np.empty(expected * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions)
    return positions.reshape(-1, 3)


def _key_values(evaluated: bpy.types.Object) -> dict[str, float]:
    keys = evaluated.data.shape_keys
    if keys is None:
        return {}
    blocks = keys.key_blocks
    if evaluated.show_only_shape_key:  # the pinned key alone shapes the mesh
        return {evaluated.active_shape_key.name: 1.0} if evaluated.active_shape_key else {}
    values = np.empty(len(blocks), np.float32)
    muted = np.empty(len(blocks), bool)
    blocks.foreach_get("value", values)
    blocks.foreach_get("mute", muted)
    values[muted] = 0
    return dict(zip(blocks.keys(), values.tolist(), strict=True))


def _joint_rotations(evaluated: bpy.types.Object) -> dict[str, np.ndarray]:
    """Rotation vectors [3] in head axes: the neck on the torso, jaw and eyes on the neck."""
    rig = find_rig(evaluated)
    if rig is None:
        return {}
    turned = {}
    for joint, name in BONES.items():
        bone = rig.pose.bones.get(name)
        if bone is not None:
            turned[joint] = bone.matrix.to_3x3() @ bone.bone.matrix_local.to_3x3().inverted()
    rotations = {}
    for joint, parent in zip(JOINTS[1:], JOINT_PARENTS[1:], strict=True):
        base = turned.get(JOINTS[parent])
        if joint in turned and base is not None:
            relative = (base.inverted_safe() @ turned[joint]).to_quaternion().to_matrix()
            rotations[joint] = vectors_to_head(rotvec_from_matrix(np.array(relative)))
    return rotations


def _is_reshaped(evaluated: bpy.types.Object, head: HeadModel) -> bool:
    """Whether modifiers beyond the rig act, or the rest shape is not the head's any more."""
    if any(modifier.type != "ARMATURE" for modifier in evaluated.modifiers):
        return True
    keys = evaluated.data.shape_keys
    if keys is None or len(keys.key_blocks[0].data) != len(head.vertices):
        return True
    rest = keys.key_blocks[0].data
    size = float(np.ptp(head.vertices[:, 1]))
    # The outermost vertices tell an applied scale; asking for all of them would cost more.
    outermost = {*head.vertices.argmin(axis=0).tolist(), *head.vertices.argmax(axis=0).tolist()}
    there = np.array([rest[index].co for index in outermost])
    expected = vectors_to_blender(head.vertices[list(outermost)])
    return bool(np.abs(there - expected).max() > _RESIZED * size)
