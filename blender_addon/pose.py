"""A pose as plain data: read from an avatar, put on one, as JSON text for the clipboard, mirrored.

It holds sliders and bones by name, so it goes from one avatar to any other. Where the person
stands (the root bone) is no part of a pose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import bpy
from mathutils import Matrix, Quaternion

from ..engine.api.errors import LikenessError
from . import sliders
from .avatar_object import find_rig

BONES = ("neck", "jaw", "eye.L", "eye.R")
HEAD = "HEAD"  # the region of the bones
REGION_ITEMS = [
    ("ALL", "All", "Every slider, and the bones"),
    *((name, label, f"Sliders of the {label.lower()}") for name, label in sliders.REGIONS),
    (HEAD, "Head Bones", "Neck, jaw and eye bones"),
]
FORMAT, VERSION = "likeness pose", 1
_HINT = "Copy a pose with Copy Pose first."
_FLIP = Matrix.Diagonal((-1.0, 1.0, 1.0))  # x is the axis from ear to ear


@dataclass(frozen=True)
class PoseData:
    """Slider values, and rotations w, x, y, z of bones in their own axes."""

    sliders: Mapping[str, float] = field(default_factory=dict)
    bones: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def keys_in(proxy: bpy.types.Object, region: str) -> list[bpy.types.ShapeKey]:
    """The sliders of a region, of all of them for ALL."""
    regions = [name for name, _ in sliders.REGIONS] if region == "ALL" else [region]
    return [key for name in regions for key in sliders.keys_of(proxy, name)]


def bones_in(proxy: bpy.types.Object, region: str) -> list[bpy.types.PoseBone]:
    """The bones that a region's pose turns."""
    rig = find_rig(proxy)
    if rig is None or region not in {"ALL", HEAD}:
        return []
    return [rig.pose.bones[name] for name in BONES if name in rig.pose.bones]


def read(proxy: bpy.types.Object, region: str = "ALL") -> PoseData:
    """The pose that the avatar's sliders and bones have now."""
    turns = {
        bone.name: tuple(bone.matrix_basis.to_quaternion()) for bone in bones_in(proxy, region)
    }
    return PoseData({key.name: key.value for key in keys_in(proxy, region)}, turns)


def apply(
    proxy: bpy.types.Object, pose: PoseData, region: str = "ALL", strength: float = 1.0
) -> list[str]:
    """Move the avatar towards a pose, all the way at strength 1. Returns what it does not have."""
    keys = {key.name: key for key in keys_in(proxy, region)}
    for name, value in pose.sliders.items():
        if name in keys:
            key = keys[name]
            wanted = key.value + strength * (value - key.value)
            key.value = min(max(wanted, key.slider_min), key.slider_max)
    for bone in bones_in(proxy, region):
        if bone.name in pose.bones:
            location, turn, scale = bone.matrix_basis.decompose()
            turn = turn.slerp(Quaternion(pose.bones[bone.name]), strength)
            bone.matrix_basis = Matrix.LocRotScale(location, turn, scale)
    known = {key.name for key in keys_in(proxy, "ALL")}
    return sorted(set(pose.sliders) - known)


def to_text(pose: PoseData) -> str:
    """The pose as JSON."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "sliders": {name: round(value, 5) for name, value in pose.sliders.items()},
        "bones": {name: [round(part, 6) for part in turn] for name, turn in pose.bones.items()},
    }
    return json.dumps(document, indent=1)


def from_text(text: str) -> PoseData:
    """The pose of a JSON text. Raises LikenessError: the clipboard may hold anything."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError("another format")
        if int(document["version"]) > VERSION:
            raise LikenessError("The pose was copied by a newer version.", "Update Likeness.")
        values = {str(name): _number(value) for name, value in document["sliders"].items()}
        bones = {}
        for name, turn in document.get("bones", {}).items():
            bones[str(name)] = tuple(map(_number, turn))
            if len(bones[name]) != 4:
                raise ValueError("no rotation")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LikenessError("The clipboard holds no pose.", _HINT) from error
    return PoseData(values, bones)


def _number(value: object) -> float:
    number = float(value)
    if not abs(number) <= 100:
        raise ValueError("no legal number")
    return number


def twin_of(name: str) -> str:
    """The name on the other side: mouthSmileLeft and mouthSmileRight, eye.L and eye.R."""
    for left, right in (("Left", "Right"), (".L", ".R")):
        if name.endswith(left):
            return name.removesuffix(left) + right
        if name.endswith(right):
            return name.removesuffix(right) + left
    return name


def mirrored(pose: PoseData, rig: bpy.types.Object | None) -> PoseData:
    """The pose as seen in a mirror."""
    values = {twin_of(name): value for name, value in pose.sliders.items()}
    bones = {}
    for name, turn in pose.bones.items():
        if rig is not None and {name, twin_of(name)} <= set(rig.data.bones.keys()):
            rest = rig.data.bones[name].matrix_local.to_3x3()
            twin = rig.data.bones[twin_of(name)].matrix_local.to_3x3()
            turned = rest @ Quaternion(turn).to_matrix() @ rest.inverted()
            local = twin.inverted() @ (_FLIP @ turned @ _FLIP) @ twin
            bones[twin_of(name)] = tuple(local.to_quaternion())
    return PoseData(values, bones)


def symmetric(pose: PoseData, side: str) -> PoseData:
    """The pose with one side, Left or Right, copied to the other.

    What moves across the face (gaze, jaw and mouth to a side) has no copy: it comes to rest.
    """
    values = dict(pose.sliders)
    for name, value in pose.sliders.items():
        stem = name.removesuffix(side)
        if _crosses(name):
            values[name] = 0.0
        elif stem != name:
            values[twin_of(name)] = value
    return PoseData(values)


def _crosses(name: str) -> bool:
    stem = name.removesuffix("Left").removesuffix("Right")
    return stem != name and stem in {"jaw", "mouth", "eyeLookIn", "eyeLookOut"}
