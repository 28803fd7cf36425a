"""Objects that show avatars which stand elsewhere: by collection, geometry nodes or their vertices.

Asked for each edit, so it looks from the avatars to their users and reads no node tree itself.
"""

from __future__ import annotations

import bpy


def find(avatars: set[bpy.types.Object]) -> set[bpy.types.Object]:
    """Objects that may instance one of the avatars."""
    found = {obj.parent for obj in avatars if obj.parent and _by_vertices(obj.parent)}
    reached, fresh = set(avatars), set(avatars)
    while fresh:  # an avatar's collection may be in another, its node group in another
        of_each = bpy.data.user_map(
            subset=fresh, value_types={"COLLECTION", "NODETREE", "OBJECT"}
        ).values()
        users = set().union(*of_each)
        objects = {user for user in users if isinstance(user, bpy.types.Object)}
        found |= {user for user in objects if _by_collection_or_nodes(user)}
        fresh = users - objects - reached
        reached |= fresh
    return found - avatars


def _by_vertices(obj: bpy.types.Object) -> bool:
    return obj.instance_type in {"VERTS", "FACES"}


def _by_collection_or_nodes(obj: bpy.types.Object) -> bool:
    return obj.instance_type == "COLLECTION" or any(
        modifier.type == "NODES" for modifier in obj.modifiers
    )
