"""What tests of avatars as Blender data ask of a scene, and put into it."""

from __future__ import annotations

import bpy
from likeness.blender_addon import avatar_object


def shown(proxy):
    """The avatar's Gaussians as they are now."""
    return avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get())


def places():
    """Matrices of everywhere that an avatar appears, as the view layer has it."""
    return [one.matrix for one in avatar_object.appearances(bpy.context.evaluated_depsgraph_get())]


def in_collection(*objects):
    """A collection of objects that is in no scene."""
    collection = bpy.data.collections.new("Heads")
    for obj in objects:
        collection.objects.link(obj)
    return collection


def instancer(collection, location):
    """An empty that instances a collection, linked to the scene."""
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    empty.location = location
    bpy.context.collection.objects.link(empty)
    return empty
