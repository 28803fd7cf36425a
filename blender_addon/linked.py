"""Avatars of other .blend files: why they cannot be edited, and how they come to be editable."""

from __future__ import annotations

import bpy

from ..engine.api.errors import LikenessError
from . import avatar_object


def locked_reason(proxy: bpy.types.Object) -> str:
    """Why sliders and bones of an avatar cannot be edited, or ''."""
    # Blender overrides objects, but neither their meshes nor the shape keys on these.
    blocks = (proxy, proxy.data, avatar_object.find_rig(proxy))
    locked = next((block for block in blocks if block is not None and _is_locked(block)), None)
    if locked is None:
        return ""
    source = locked if locked.library is not None else locked.override_library.reference
    name = bpy.path.basename(source.library.filepath)
    return f"This avatar is linked from {name}: Make Override in Avatars lets you edit it"


def make_editable(context: bpy.types.Context, proxy: bpy.types.Object) -> bpy.types.Object:
    """Override what is needed to pose and keyframe an avatar; its proxy head then. LikenessError.

    The Gaussians stay in the other file.
    """
    if proxy.library is not None:
        proxy = _override_hierarchy(context, proxy)
    for obj in (proxy, avatar_object.find_rig(proxy)):
        if obj is not None and obj.override_library is not None:
            obj.override_library.is_system_override = False
    if proxy.data.library is not None:
        proxy.data = proxy.data.override_create()
    return proxy


def _is_locked(block: bpy.types.ID) -> bool:
    override = block.override_library
    return block.library is not None or (override is not None and override.is_system_override)


def _override_hierarchy(context: bpy.types.Context, proxy: bpy.types.Object) -> bpy.types.Object:
    """Override a linked avatar with its rig, and with the collection that brought it."""
    linked = (each for each in proxy.users_collection if each.library is not None)
    root = next(linked, proxy)
    before = set(bpy.data.objects)
    root.override_hierarchy_create(context.scene, context.view_layer, do_fully_editable=True)
    for obj in set(bpy.data.objects) - before:
        if obj.override_library is not None and obj.override_library.reference == proxy:
            return obj
    raise LikenessError(f"'{proxy.name}' cannot be overridden.", "Append it instead of linking it.")
