"""Registers everything in order and unregisters it in reverse. The only place that knows all parts."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from . import avatar_object, properties, viewport

_MODULES = (properties,)


@persistent
def _forget_file(*_: object) -> None:
    """What was read from one file means nothing in the next."""
    avatar_object.forget()
    viewport.forget()


def register() -> None:
    for module in _MODULES:
        for cls in module.classes:
            bpy.utils.register_class(cls)
    properties.register_properties()
    bpy.app.handlers.load_post.append(_forget_file)
    viewport.register()


def unregister() -> None:
    viewport.unregister()
    bpy.app.handlers.load_post.remove(_forget_file)
    avatar_object.forget()
    properties.unregister_properties()
    for module in reversed(_MODULES):
        for cls in reversed(module.classes):
            bpy.utils.unregister_class(cls)
