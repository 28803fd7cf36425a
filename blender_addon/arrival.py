"""An avatar that a job delivers: its previews in the scene one after the other, then itself.

Files are read and laid out in a thread; the main thread, which Blender's window waits for, only
writes Blender's data. What a job has shown can be taken back as though it had never begun.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import bpy
from mathutils import Quaternion, Vector

from ..engine.api.avatar_file import read_avatar
from . import animation, avatar_layer, avatar_object, character, compositing, importing, payload
from .carrier import Carrier
from .footage_camera import SceneSettings


class _View(NamedTuple):
    """How a 3D viewport looks at the scene; a camera's view takes the place of its own."""

    perspective: str
    rotation: Quaternion
    location: Vector
    distance: float


class _Read(NamedTuple):
    """A file's avatar, prepared as far as that needs no Blender."""

    arranged: payload.Arranged
    carrier: Carrier

    @classmethod
    def of(cls, path: str) -> _Read:
        arranged = payload.arrange(read_avatar(path))
        return cls(arranged, Carrier(arranged.avatar))


class _Before(NamedTuple):
    """What the first preview changed in the scene."""

    scene: str
    camera: str
    settings: SceneSettings
    has_layer: bool
    views: list[_View]


class Arrival:
    """One avatar on its way into the scene. Blender's references die with undo, so the proxy head
    is kept by its uid. Call it from the main thread; `close` it at the end."""

    def __init__(self) -> None:
        self._reader = ThreadPoolExecutor(1, "likeness-reader")
        self._reading: Future[_Read] | None = None
        self._final = False  # what is being read is the avatar itself
        self._uid = 0
        self._before: _Before | None = None

    @property
    def waits(self) -> bool:
        """Whether the avatar itself is there and only the mode keeps it out of the scene."""
        return self._final and self._reading is not None and self._reading.done()

    def offer(self, path: str, final: bool) -> None:
        """Read a file in the background; a newer one takes the place of one that is not shown."""
        self._final = final
        self._reading = self._reader.submit(_Read.of, path)

    def poll(self) -> bool:
        """Show what has been read. True when that was the avatar itself.

        Raises LikenessError when its file is damaged. In Edit or Sculpt Mode it waits: the user is
        not thrown out of it.
        """
        if self._reading is None or not self._reading.done():
            return False
        if bpy.context.mode not in {"OBJECT", "POSE"}:
            return False
        read, self._reading = self._reading.result(), None
        with _in_window():
            self._show(read)
            if self._final:
                bpy.ops.ed.undo_push(message="Create Avatar")
        for area in _viewports():
            area.tag_redraw()
        return self._final

    def take_back(self) -> None:
        """Remove what was shown and give the scene back what it had."""
        if self._before is None:
            return
        with _in_window():
            _look_as_before(self._before)
            proxy = _find(self._uid)
            if proxy is not None:
                _leave_mode_of(proxy)
                character.remove(proxy)
            _restore(self._before)
            bpy.ops.ed.undo_push(message="Cancel Create Avatar")
        self._before = None

    def close(self) -> None:
        """Read nothing more."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _show(self, read: _Read) -> None:
        avatar, stored = read.arranged.avatar, payload.store(read.arranged)
        avatar_object.keep_carrier(stored, read.carrier)
        proxy = _find(self._uid)
        if proxy is not None and character.can_replace(proxy, avatar):
            character.replace(proxy, avatar, stored)
            avatar_object.forget_deleted()  # the state before, of tens of megabytes
            if self._final:  # previews move as tracked; the avatar as the fit corrected it
                animation.refresh_performance(bpy.context.scene, proxy)
            return
        if bpy.context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        if proxy is not None:
            character.remove(proxy)
        self._before = self._before or _as_it_is()
        match = bpy.context.scene.likeness.match_scene
        proxy = importing.add(bpy.context, avatar, True, match, stored=stored)
        self._uid = proxy.session_uid


def _find(uid: int) -> bpy.types.Object | None:
    objects = (obj for obj in bpy.data.objects if obj.session_uid == uid)
    obj = next(objects, None)
    return obj if obj is not None and avatar_object.is_avatar(obj) else None


def _leave_mode_of(proxy: bpy.types.Object) -> None:
    """What is being posed or edited cannot be removed."""
    if bpy.context.mode != "OBJECT" and avatar_object.find_avatar(bpy.context.object) == proxy:
        bpy.ops.object.mode_set(mode="OBJECT")


def _as_it_is() -> _Before:
    scene = bpy.context.scene
    return _Before(
        scene=scene.name,
        camera=scene.camera.name if scene.camera else "",
        settings=SceneSettings.of(scene),
        has_layer=compositing.is_set_up(scene),
        views=[
            _View(
                view.view_perspective,
                view.view_rotation.copy(),
                view.view_location.copy(),
                view.view_distance,
            )
            for view in _views()
        ],
    )


def _restore(before: _Before) -> None:
    scene = bpy.data.scenes.get(before.scene)
    if scene is None:
        return
    before.settings.give_back(scene)
    scene.camera = bpy.data.objects.get(before.camera)
    if not before.has_layer:
        avatar_layer.remove(scene)


def _look_as_before(before: _Before) -> None:
    """Viewports that look through a camera since; deleting it makes its view their own."""
    for view, was in zip(_views(), before.views, strict=False):
        if view.view_perspective == "CAMERA" and was.perspective != "CAMERA":
            view.view_perspective, view.view_rotation = was.perspective, was.rotation
            view.view_location, view.view_distance = was.location, was.distance


def _views() -> list[bpy.types.RegionView3D]:
    return [area.spaces.active.region_3d for area in _viewports()]


def _viewports() -> list[bpy.types.Area]:
    """The 3D viewports of all windows."""
    windows = bpy.context.window_manager.windows
    areas = [area for window in windows for area in window.screen.areas]
    return [area for area in areas if area.type == "VIEW_3D"]


def _in_window() -> object:
    """A context with a window, where there is one: a timer has none, and operators want one."""
    windows = bpy.context.window_manager.windows
    return bpy.context.temp_override(**({"window": windows[0]} if windows else {}))
