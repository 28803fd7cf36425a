"""An avatar among Blender's objects: what it holds, where it appears, the Gaussians it shows now.

An avatar is its proxy head: a mesh object whose `likeness.payload` holds the Gaussians. It does not
build the proxy head (character.py), read its pose (head_pose.py) or draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import bpy
import numpy as np

from ..engine.api.baked import BakedAvatar, GaussianArrays
from ..engine.api.errors import LikenessError
from . import head_pose, payload
from .carrier import Carrier, carry_along, volume_scale
from .head_pose import BONES as BONES
from .head_pose import REDUCED_PREFIX as REDUCED_PREFIX
from .head_pose import HeadPose
from .head_pose import find_rig as find_rig
from .head_pose import reduced_name as reduced_name

TRAINING_BLUR = 0.3  # px^2, what the fit added to every Gaussian on the screen
_USUAL_DISTANCE = 0.7  # metres from the camera, where no performance tells


class Appearance(NamedTuple):
    """One place where an avatar is to be seen: its own, or that of an instance."""

    avatar: bpy.types.Object  # original
    shower: bpy.types.Object  # original: the avatar itself, or what instances it
    matrix: np.ndarray  # [4, 4] from the proxy head's space to the world


class Drawn(NamedTuple):
    """An avatar in one place in Blender's world."""

    gaussians: GaussianArrays
    radius: float  # metres, of the head
    footprint: float  # m^2, variance on the head of the blur that training added on the screen


class _Posed(NamedTuple):
    """What is kept of an evaluation."""

    key: bytes
    gaussians: GaussianArrays  # in the proxy head's space


class _Placed(NamedTuple):
    """What is kept of Gaussians in the world."""

    source: GaussianArrays
    matrix: np.ndarray
    gaussians: GaussianArrays


_carriers: dict[int, Carrier] = {}  # by session_uid of the payload
_placed: dict[tuple[int, str], _Placed] = {}  # by session_uid of the object, depsgraph's mode
_posed: dict[tuple[int, str, int], _Posed] = {}  # by the same and the level's count


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


def shows_natively(obj: bpy.types.Object) -> bool:
    """Whether the avatar is shown as a native point cloud (native.py), not drawn by us."""
    if not is_avatar(obj) or obj.original.likeness.native is None:
        return False
    cloud = obj.original.likeness.native
    # A copy of the avatar points to the first one's cloud, and a deleted cloud is in no collection.
    return cloud.parent == obj.original and len(cloud.users_collection) > 0


def appearances(depsgraph: bpy.types.Depsgraph) -> Iterator[Appearance]:
    """Every place where an avatar is to be drawn, instances of collections and nodes included.

    Hiding has no say here: the caller knows which viewport or render asks.
    """
    if not payload.is_in_file():
        return
    for instance in depsgraph.object_instances:
        obj = instance.object
        shows = instance.is_instance or instance.show_self
        if shows and is_avatar(obj) and not shows_natively(obj):
            shower = instance.parent if instance.is_instance else obj
            yield Appearance(obj.original, shower.original, np.array(instance.matrix_world))


def read(obj: bpy.types.Object) -> BakedAvatar:
    """The baked avatar of a proxy head. Raises AvatarFileError if it is damaged."""
    return payload.load(obj.original.likeness.payload)


def forget() -> None:
    """Drop everything kept from earlier evaluations; for a new file and for unregistering."""
    for kept in (_carriers, _posed, _placed):
        kept.clear()
    payload.forget()


def forget_deleted() -> None:
    """Drop what is kept of avatars that the file no longer has."""
    payload.forget_deleted()
    payloads = {mesh.session_uid for mesh in bpy.data.meshes}
    objects = {obj.session_uid for obj in bpy.data.objects}
    for uid in set(_carriers) - payloads:
        del _carriers[uid]
    for kept in (_posed, _placed):
        for slot in [slot for slot in kept if slot[0] not in objects]:
            del kept[slot]


def keep_carrier(stored: bpy.types.Mesh, carrier: Carrier) -> None:
    """Take the carrier that a thread has made of a payload's avatar: it is slow to make."""
    _carriers[stored.session_uid] = carrier


def count_of_level(avatar: BakedAvatar, level: int) -> int:
    """Gaussians of a level of detail: 0 is all of them, levels beyond the last are the last."""
    return avatar.levels[min(level, len(avatar.levels) - 1)]


def shown_count(obj: bpy.types.Object) -> int:
    """Gaussians of an avatar's level of detail in the viewport; 0 if it is damaged."""
    try:
        return count_of_level(read(obj), obj.likeness.level)
    except LikenessError:
        return 0


def pose(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph, count: int) -> GaussianArrays:
    """The Gaussians of an avatar's level of detail of `count`, in its proxy head's space.

    The same object comes back while nothing has changed. Raises LikenessError when a modifier has
    changed the proxy head's vertices, AvatarFileError when the payload is damaged.
    """
    avatar = read(obj)
    source = obj.original.likeness.payload.session_uid
    evaluated = obj.evaluated_get(depsgraph)
    now = head_pose.read(evaluated, avatar.head, len(avatar.deltas))
    key = now.key() + source.to_bytes(8, "little")
    slot = (obj.original.session_uid, depsgraph.mode, count)
    kept = _posed.get(slot)
    if kept is not None and kept.key == key:
        return kept.gaussians
    if kept is None:
        forget_deleted()
    if source not in _carriers:
        _carriers[source] = Carrier(avatar)
    carrier = _carriers[source]
    rest = now.undisturbed(avatar.head) if now.reshaped else None
    gaussians = carrier.carry(_weights(now, avatar), now.vertices, count, rest)
    _posed[slot] = _Posed(key, gaussians)
    return gaussians


def evaluate(
    obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph, level: int = 0
) -> GaussianArrays:
    """The Gaussians of an avatar in Blender's world as the depsgraph poses it. See `pose`."""
    count = count_of_level(read(obj), level)
    source = pose(obj, depsgraph, count)
    matrix = np.array(obj.evaluated_get(depsgraph).matrix_world)
    slot = (obj.original.session_uid, depsgraph.mode)
    kept = _placed.get(slot)
    if kept is None or kept.source is not source or not np.array_equal(kept.matrix, matrix):
        kept = _placed[slot] = _Placed(source, matrix, carry_along(source, matrix))
    return kept.gaussians


def drawn(one: Appearance, depsgraph: bpy.types.Depsgraph, level: int) -> Drawn:
    """An avatar in one of its places as the depsgraph poses it. Raises as `pose` does."""
    avatar = read(one.avatar)
    count = count_of_level(avatar, level)
    posed = pose(one.avatar, depsgraph, count)
    size = max(volume_scale(one.matrix), 1e-6)
    return Drawn(
        carry_along(posed, one.matrix),
        radius(avatar) * size,
        footprint_on_head(avatar) * size**2,
    )


def radius(avatar: BakedAvatar) -> float:
    """Half the largest extent (metres) of the neutral head."""
    return max(float(np.ptp(avatar.head.vertices, axis=0).max()) / 2, 1e-6)


def footprint_on_head(avatar: BakedAvatar) -> float:
    """Variance (m^2, the head's space) of the blur that training added on the screen."""
    return TRAINING_BLUR / trained_resolution(avatar) ** 2


def trained_resolution(avatar: BakedAvatar) -> float:
    """Pixels per metre of the head in the pictures it was learned from."""
    performance = avatar.performance
    places = np.asarray(performance.params.translation)
    if not len(places):
        return float(performance.K[0, 0] / _USUAL_DISTANCE)
    distance = abs((performance.viewmat @ np.append(np.median(places, axis=0), 1.0))[2])
    return float(performance.K[0, 0] / max(distance, 1e-6))


def evaluated_weights(evaluated: bpy.types.Object, avatar: BakedAvatar) -> np.ndarray:
    """Reduced blendshape weights [K]: F(code of keys and bones) + the reduced sliders."""
    return _weights(head_pose.read(evaluated, avatar.head, len(avatar.deltas)), avatar)


def _weights(now: HeadPose, avatar: BakedAvatar) -> np.ndarray:
    return (now.follow * avatar.weights(now.params) + now.sliders).astype(np.float32)
