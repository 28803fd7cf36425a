"""The avatar's sliders by face region, and back to neutral."""

from __future__ import annotations

import re
from collections.abc import Iterator

import bpy
from mathutils import Matrix

from .avatar_object import REDUCED_PREFIX, find_rig
from .gaze import LOOK_BONES

# Region, label. Keys belong to the first region whose prefixes fit (ARKit's names are systematic).
REGIONS = (
    ("BROWS", "Brows"),
    ("EYES", "Eyes"),
    ("CHEEKS", "Cheeks and Nose"),
    ("JAW", "Jaw"),
    ("MOUTH", "Mouth"),
    ("TONGUE", "Tongue"),
    ("REDUCED", "Reduced Blendshapes"),
    ("OTHER", "Other"),
)
_PREFIXES = {
    "BROWS": ("brow",),
    "EYES": ("eye",),
    "CHEEKS": ("cheek", "nose"),
    "JAW": ("jaw",),
    "MOUTH": ("mouth", "lip"),
    "TONGUE": ("tongue",),
    "REDUCED": (REDUCED_PREFIX,),
}


def region_of(key: str) -> str:
    """Face region of a shape key's name."""
    for region, prefixes in _PREFIXES.items():
        if key.startswith(prefixes):
            return region
    return "OTHER"


def keys_of(proxy: bpy.types.Object, region: str) -> Iterator[bpy.types.ShapeKey]:
    """The sliders of a region, in order."""
    keys = proxy.data.shape_keys
    for key in keys.key_blocks[1:] if keys else ():
        if region_of(key.name) == region:
            yield key


def label_of(key: str) -> str:
    """'mouthSmileLeft' as 'Mouth Smile Left'; 'reduced.03' as 'Reduced 03'."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).replace(".", " ")
    return words[:1].upper() + words[1:]


def reset(proxy: bpy.types.Object, region: str | None = None) -> None:
    """Sliders of a region to 0; without a region all sliders, and the bones to rest."""
    names = [region] if region else [name for name, _ in REGIONS]
    for name in names:
        for key in keys_of(proxy, name):
            key.value = 0.0
    rig = find_rig(proxy)
    if region is None and rig is not None:
        for bone in rig.pose.bones:
            if bone.name not in LOOK_BONES.values():  # those are the drivers'
                bone.matrix_basis = Matrix()
