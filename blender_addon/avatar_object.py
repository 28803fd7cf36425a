"""An avatar among Blender's objects: what it holds, how it is posed now, the Gaussians it shows.

An avatar is its proxy head: a mesh object whose `likeness.payload` holds the Gaussians. Everything
is read from an evaluated dependency graph (modifiers, constraints, drivers, animation), never from
original data, which is stale in renders. It does not build the proxy head (character.py) or draw.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.baked import BakedAvatar, GaussianArrays
from ..engine.api.errors import LikenessError
from ..engine.api.head import JOINT_PARENTS, JOINTS, HeadParams
from ..engine.api.rotations import rotvec_from_matrix
from . import payload
from .carrier import Carrier, similarity, stretch
from .coordinates import vectors_to_head

BONES = {
    "root": "root",
    "neck": "neck",
    "jaw": "jaw",
    "eye_left": "eye.L",
    "eye_right": "eye.R",
}  # joint of the head -> bone of the rig
REDUCED_PREFIX = "reduced."
TRAINING_BLUR = 0.3  # px^2, what the fit added to every Gaussian on the screen

_carriers: dict[tuple[int, int], Carrier] = {}  # (payload session_uid, count)
_posed: dict[tuple[int, str], tuple[bytes, GaussianArrays]] = {}  # (object session_uid, mode)


def is_avatar(obj: bpy.types.Object) -> bool:
    """True if the object is the proxy head of an avatar."""
    return obj.type == "MESH" and obj.original.likeness.payload is not None


def find_avatar(obj: bpy.types.Object | None) -> bpy.types.Object | None:
    """The avatar that an object is or belongs to: the proxy head itself, or its rig or camera."""
    while obj is not None:
        if is_avatar(obj):
            return obj
        children = [child for child in obj.children if is_avatar(child)]
        if children:
            return children[0]
        obj = obj.parent
    return None


def find_rig(obj: bpy.types.Object) -> bpy.types.Object | None:
    """The armature object that deforms the proxy head."""
    return obj.find_armature()


def read(obj: bpy.types.Object) -> BakedAvatar:
    """The baked avatar of a proxy head. Raises AvatarFileError if it is damaged."""
    return payload.load(obj.original.likeness.payload)


def forget() -> None:
    """Drop everything kept from earlier evaluations; for a new file and for unregistering."""
    _carriers.clear()
    _posed.clear()
    payload.forget()


def count_of_level(avatar: BakedAvatar, level: int) -> int:
    """Gaussians of a level of detail: 0 is all of them, levels beyond the last are the last."""
    return avatar.levels[min(level, len(avatar.levels) - 1)]


def shown_count(obj: bpy.types.Object) -> int:
    """Gaussians that the viewport shows of an avatar; 0 if it is damaged."""
    try:
        return count_of_level(read(obj), obj.likeness.level)
    except LikenessError:
        return 0


def evaluate(
    obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph, level: int = 0
) -> GaussianArrays:
    """The Gaussians of an avatar in Blender's world as the depsgraph poses it.

    The same object comes back while nothing has changed. Raises LikenessError when a modifier has
    changed the proxy head's vertices, AvatarFileError when the payload is damaged.
    """
    evaluated = obj.evaluated_get(depsgraph)
    avatar = read(obj)
    count = count_of_level(avatar, level)
    positions = _positions(evaluated, len(avatar.head.vertices))
    weights = evaluated_weights(evaluated, avatar)
    matrix = np.array(evaluated.matrix_world)
    source = obj.original.likeness.payload.session_uid
    key = b"".join(
        (positions.tobytes(), weights.tobytes(), matrix.tobytes(), f"{source}/{count}".encode())
    )
    slot = (obj.original.session_uid, depsgraph.mode)
    kept = _posed.get(slot)
    if kept is None or kept[0] != key:
        carrier = _carriers.get((source, count))
        if carrier is None:
            carrier = _carriers[source, count] = Carrier(avatar, count)
        kept = _posed[slot] = (key, _carry(carrier, weights, positions, matrix))
    return kept[1]


def _carry(
    carrier: Carrier, weights: np.ndarray, positions: np.ndarray, matrix: np.ndarray
) -> GaussianArrays:
    """Gaussians in the world for vertices [V, 3] in the space of an object with this matrix."""
    size = similarity(matrix)
    if size is None:
        return stretch(carrier.carry(weights, positions), matrix)
    world = positions @ matrix[:3, :3].T + matrix[:3, 3]
    return carrier.carry(weights, world, size)


def footprint(obj: bpy.types.Object) -> float:
    """Variance (m^2, Blender's world) on the head of the blur that training added on the screen."""
    performance = read(obj).performance
    place = np.median(np.asarray(performance.params.translation), axis=0)
    distance = abs((performance.viewmat @ np.append(place, 1.0))[2])
    size = abs(np.linalg.det(np.array(obj.matrix_world)[:3, :3])) ** (1 / 3)
    return float(TRAINING_BLUR * (size * distance / performance.K[0, 0]) ** 2)


def evaluated_weights(evaluated: bpy.types.Object, avatar: BakedAvatar) -> np.ndarray:
    """Reduced blendshape weights [K]: F(code of keys and bones) + the reduced sliders."""
    keys = _key_values(evaluated)
    expression = np.array([keys.get(name, 0.0) for name in avatar.head.expression_names])
    sliders = [keys.get(reduced_name(k), 0.0) for k in range(len(avatar.deltas))]
    joints = _joint_rotations(evaluated)
    zero = np.zeros(3)
    params = HeadParams(
        expression=expression,
        neck=joints.get("neck", zero),
        jaw=joints.get("jaw", zero),
        eyes=np.stack([joints.get("eye_left", zero), joints.get("eye_right", zero)]),
        rotation=zero,
        translation=zero,
    )
    return (avatar.weights(params) + np.array(sliders, np.float32)).astype(np.float32)


def reduced_name(index: int) -> str:
    """Shape key of a reduced blendshape."""
    return f"{REDUCED_PREFIX}{index:02d}"


def _positions(evaluated: bpy.types.Object, expected: int) -> np.ndarray:
    """Evaluated vertices [V, 3] in the object's space."""
    mesh = evaluated.data
    if len(mesh.vertices) != expected:
        raise LikenessError(
            f"The proxy head of '{evaluated.name}' has {len(mesh.vertices)} vertices after its "
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
