"""Registers everything in order, unregisters it in reverse. The only place that knows all parts."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..operators import (
    animate,
    avatars,
    bake,
    capture,
    clips,
    export,
    footage_report,
    heads,
    import_avatar,
    manual,
    pose,
    pose_library,
    reconstruct,
    retarget,
    setup,
)
from ..operators import images as image_operators
from ..operators import render as render_operators
from ..panels import avatars as avatars_panel
from ..panels import create as create_panel
from ..panels import creation as creation_panel
from ..panels import export as export_panel
from ..panels import expression as expression_panel
from ..panels import footage_report as footage_report_panel
from ..panels import heads as heads_panel
from ..panels import images as images_panel
from ..panels import performance as performance_panel
from ..panels import poses as poses_panel
from ..panels import render as render_panel
from . import (
    avatar_layer,
    avatar_object,
    creation,
    images,
    jobs,
    native,
    preferences,
    properties,
    render_engine,
    render_settings,
    viewport,
)
from . import footage_report as footage_properties
from . import heads as head_properties

_WITH_CLASSES = (
    properties,
    creation,
    images,
    footage_properties,
    preferences,
    render_settings,
    render_engine,
    setup,
    capture,
    clips,
    reconstruct,
    image_operators,
    footage_report,
    import_avatar,
    avatars,
    animate,
    pose,
    pose_library,
    bake,
    retarget,
    render_operators,
    export,
    heads,
    manual,
    create_panel,
    creation_panel,
    images_panel,
    footage_report_panel,
    avatars_panel,
    render_panel,
    expression_panel,
    poses_panel,
    performance_panel,
    export_panel,
    heads_panel,
)


@persistent
def _forget_file(*_: object) -> None:
    """What was read from one file means nothing in the next."""
    jobs.close()
    avatar_object.forget()
    viewport.forget()


def register() -> None:
    for module in _WITH_CLASSES:
        for cls in module.classes:
            bpy.utils.register_class(cls)
    properties.register_properties()
    footage_properties.register_properties()
    head_properties.register_properties()
    creation.register_properties()
    images.register_properties()
    render_settings.register_properties()
    avatar_layer.register_handlers()
    native.register_handlers()
    bpy.types.TOPBAR_MT_file_import.append(import_avatar.draw_menu)
    bpy.types.TOPBAR_MT_file_import.append(capture.draw_menu)
    bpy.types.TOPBAR_MT_file_import.append(retarget.draw_menu)
    bpy.types.TOPBAR_MT_file_export.append(export.draw_menu)
    bpy.app.handlers.load_pre.append(_forget_file)
    viewport.register()


def unregister() -> None:
    viewport.unregister()
    bpy.app.handlers.load_pre.remove(_forget_file)
    bpy.types.TOPBAR_MT_file_export.remove(export.draw_menu)
    bpy.types.TOPBAR_MT_file_import.remove(retarget.draw_menu)
    bpy.types.TOPBAR_MT_file_import.remove(capture.draw_menu)
    bpy.types.TOPBAR_MT_file_import.remove(import_avatar.draw_menu)
    native.unregister_handlers()
    avatar_layer.unregister_handlers()
    jobs.close()
    avatar_object.forget()
    render_settings.unregister_properties()
    images.unregister_properties()
    creation.unregister_properties()
    head_properties.unregister_properties()
    footage_properties.unregister_properties()
    properties.unregister_properties()
    for module in reversed(_WITH_CLASSES):
        for cls in reversed(module.classes):
            bpy.utils.unregister_class(cls)
