"""A seeded storm of what users do to avatars: for headless tests and for the real window alike.

Every operation is one that Blender's interface offers. After each, every avatar that the scene
shows is evaluated and its numbers are checked, as a redraw would do it.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np

MOST_AVATARS = 4


class Storm:
    """Random operations on the open file. `package` is the extension's: it is not always named
    `likeness`; `avatar` is a .likeness file; `folder` receives the saved .blend."""

    def __init__(self, seed: int, package: str, avatar: Path, folder: Path) -> None:
        self._random = random.Random(seed)
        self._addon = importlib.import_module(f"{package}.blender_addon.avatar_object")
        self._avatar, self._blend = avatar, folder / "storm.blend"
        self._operations: list[tuple[Callable[[], None], int]] = [
            (self.import_avatar, 1),
            (self.select, 4),
            (self.move_slider, 5),
            (self.turn_neck, 3),
            (self.insert_key, 2),
            (self.change_frame, 4),
            (self.transform, 3),
            (self.change_level, 1),
            (self.duplicate, 2),
            (self.duplicate_linked, 2),
            (self.instance, 1),
            (self.hide_or_show, 2),
            (self.rename, 1),
            (self.edit_mesh, 1),
            (self.delete, 2),
            (self.remove_avatar, 1),
            (self.undo, 6),
            (self.redo, 4),
            (self.save, 1),
            (self.reload, 1),
            (self.purge, 1),
        ]

    def run(self, count: int) -> Iterator[str]:
        """Do `count` operations; yields the name of each after its result was checked."""
        self.import_avatar()
        self._remember("import")
        self.save()
        steps, weights = zip(*self._operations, strict=True)
        for step in self._random.choices(steps, weights, k=count):
            if not self.avatars():
                step = self.import_avatar
            name = step.__name__
            step()
            if step not in (self.undo, self.redo, self.save, self.reload):
                self._remember(name)
            self.check(name)
            yield name

    def check(self, name: str) -> None:
        """What is shown can be evaluated, and is finite."""
        depsgraph = bpy.context.evaluated_depsgraph_get()
        for one in list(self._addon.appearances(depsgraph)):
            count = self._addon.read(one.avatar).count
            gaussians = self._addon.pose(one.avatar, depsgraph, count)
            assert len(gaussians.means) == count, name
            assert all(np.isfinite(part).all() for part in gaussians), name

    def avatars(self) -> list[bpy.types.Object]:
        """Proxy heads in the scene."""
        return [obj for obj in bpy.context.scene.objects if self._addon.is_avatar(obj)]

    def _remember(self, name: str) -> None:
        bpy.ops.ed.undo_push(message=name)

    def _any(self) -> bpy.types.Object | None:
        avatars = self.avatars()
        return self._random.choice(avatars) if avatars else None

    def import_avatar(self) -> None:
        if len(self.avatars()) < MOST_AVATARS:
            bpy.ops.likeness.import_avatar(filepath=str(self._avatar))

    def select(self) -> None:
        bpy.ops.object.select_all(action="DESELECT")
        shown = [obj for obj in bpy.context.view_layer.objects if obj.visible_get()]
        for obj in self._random.sample(shown, min(2, len(shown))):
            obj.select_set(True)
            bpy.context.view_layer.objects.active = obj

    def move_slider(self) -> None:
        obj = self._any()
        if obj is not None:
            key = self._random.choice(obj.data.shape_keys.key_blocks[1:])
            key.value = self._random.uniform(key.slider_min, key.slider_max)

    def turn_neck(self) -> None:
        obj = self._any()
        rig = obj and obj.find_armature()
        if rig:
            turn = [self._random.uniform(-0.3, 0.3) for _ in range(3)]
            rig.pose.bones["neck"].rotation_quaternion = (1, *turn)

    def insert_key(self) -> None:
        obj = self._any()
        if obj is not None:
            key = self._random.choice(obj.data.shape_keys.key_blocks[1:])
            key.keyframe_insert("value", frame=self._random.randint(1, 12))

    def change_frame(self) -> None:
        bpy.context.scene.frame_set(self._random.randint(1, 12))

    def transform(self) -> None:
        obj = self._any()
        if obj is not None:
            obj = self._random.choice([obj, obj.find_armature() or obj])
            obj.location = [self._random.uniform(-1, 1) for _ in range(3)]
            obj.scale = [self._random.choice([-1, 0.5, 1, 1, 2]) for _ in range(3)]

    def change_level(self) -> None:
        obj = self._any()
        if obj is not None:
            obj.likeness.level = self._random.randint(0, 3)

    def duplicate(self, linked: bool = False) -> None:
        obj = self._any()
        if obj is None or len(self.avatars()) >= MOST_AVATARS:
            return
        bpy.ops.object.select_all(action="DESELECT")
        for member in {obj, self._random.choice([obj, obj.find_armature() or obj])}:
            if member.visible_get():
                member.select_set(True)
        if bpy.context.selected_objects:
            bpy.ops.object.duplicate(linked=linked)

    def duplicate_linked(self) -> None:
        self.duplicate(linked=True)

    def instance(self) -> None:
        obj = self._any()
        instancers = [o for o in bpy.context.scene.objects if o.instance_type == "COLLECTION"]
        if obj is None or len(instancers) > 2:
            return
        collection = bpy.data.collections.new("Crowd")
        for member in {obj, obj.find_armature() or obj}:
            collection.objects.link(member)
        bpy.ops.object.collection_instance_add(collection=collection.name, location=(1, 0, 0))

    def hide_or_show(self) -> None:
        obj = self._any()
        if obj is not None:
            obj.hide_set(not obj.hide_get())
            obj.hide_viewport = self._random.random() < 0.2

    def rename(self) -> None:
        obj = self._any()
        if obj is not None:
            obj.name = f"Renamed {self._random.randint(0, 9)}"
            obj.likeness.payload.name = "Renamed payload"

    def edit_mesh(self) -> None:
        obj = self._any()
        if obj is None or not obj.visible_get():
            return
        bpy.context.view_layer.objects.active = obj
        bpy.ops.object.mode_set(mode="EDIT")
        self.check("edit mode")
        bpy.ops.object.mode_set(mode="OBJECT")

    def delete(self) -> None:
        bpy.ops.object.delete(use_global=self._random.random() < 0.3)

    def remove_avatar(self) -> None:
        if bpy.ops.likeness.remove_avatar.poll():
            bpy.ops.likeness.remove_avatar()

    def undo(self) -> None:
        if bpy.ops.ed.undo.poll():
            bpy.ops.ed.undo()

    def redo(self) -> None:
        if bpy.ops.ed.redo.poll():
            bpy.ops.ed.redo()

    def save(self) -> None:
        bpy.ops.wm.save_as_mainfile(filepath=str(self._blend))

    def reload(self) -> None:
        bpy.ops.wm.open_mainfile(filepath=str(self._blend))

    def purge(self) -> None:
        bpy.ops.outliner.orphans_purge(do_recursive=True)
