"""Every operator of Likeness that can be undone: done, undone, done again, in an order in which
each changes something. For headless tests and for the real window alike."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import bpy
import numpy as np

CAPTURE = "Timecode,BlendShapeCount,JawOpen\n" + "".join(
    f"00:00:{i // 60:02d}:{i % 60:02d},1,{i / 90:.3f}\n" for i in range(90)
)


class Seen(NamedTuple):
    """What one operator did to the file: digests of it."""

    name: str
    before: str
    after: str
    undone: str
    redone: str


class Walk:
    """`package` is the extension's: it is not always named `likeness`; `avatar` is a .likeness
    file; `folder` receives what operators read."""

    def __init__(self, package: str, avatar: Path, folder: Path) -> None:
        self._addon = importlib.import_module(f"{package}.blender_addon.avatar_object")
        self._layer = importlib.import_module(f"{package}.blender_addon.compositing")
        self._avatar, self._folder = avatar, folder

    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Operators and what they are told."""
        capture = self._folder / "capture.csv"
        capture.write_text(CAPTURE)
        return [
            ("import_video", {"filepath": str(self._avatar)}),
            ("add_clips", {"filepath": str(capture)}),
            ("remove_clip", {"index": 0}),
            ("choose_head", {"name": "Somebody"}),
            ("import_avatar", {"filepath": str(self._avatar), "match_scene": False}),
            ("match_camera", {}),
            ("clear_performance", {}),
            ("apply_pose", {"pose": "smile"}),
            ("reset_slider", {"slider": "mouthSmileLeft"}),
            ("mirror_pose", {"way": "SWAP"}),
            ("key_pose", {}),
            ("unkey_pose", {}),
            ("add_pose", {"name": "Mine"}),
            ("reset_sliders", {}),
            ("remove_pose", {"pose": "Mine"}),
            ("apply_performance", {}),
            ("layer_performance", {}),
            ("import_capture", {"filepath": str(capture)}),
            ("new_name_table", {}),
            ("bake", {"step": 4}),
            ("add_example", {}),
            ("remove_render", {}),
            ("set_up_render", {}),
            ("select_rig", {}),
            ("remove_avatar", {}),
        ]

    def run(self) -> Iterator[Seen]:
        """Walk; call it where undo is possible, each time it is asked for the next."""
        bpy.ops.ed.undo_push(message="begin")
        for name, told in self.steps():
            before = self.digest()
            getattr(bpy.ops.likeness, name)("EXEC_DEFAULT", True, **told)
            after = self.digest()
            bpy.ops.ed.undo()
            undone = self.digest()
            bpy.ops.ed.redo()
            yield Seen(name, before, after, undone, self.digest())

    def digest(self) -> str:
        """What the file holds of avatars, and what they show."""
        scene = bpy.context.scene
        found: dict[str, Any] = {
            "objects": sorted(obj.name for obj in bpy.data.objects),
            "actions": sorted(action.name for action in bpy.data.actions),
            "texts": sorted(text.name for text in bpy.data.texts),
            "footage": scene.likeness.footage,
            "clips": [clip.path for clip in scene.likeness_creation.clips],
            "head": scene.likeness_head,
            "render": self._layer.is_set_up(scene),
            "camera": scene.camera.name if scene.camera else "",
            "frames": [scene.frame_end, scene.render.resolution_x, scene.render.fps],
            "mode": bpy.context.mode,
        }
        for obj in [obj for obj in scene.objects if self._addon.is_avatar(obj)]:
            found[obj.name] = self._avatar_digest(obj)
        return json.dumps(found)

    def _avatar_digest(self, obj: bpy.types.Object) -> list[Any]:
        keys, data = obj.data.shape_keys, obj.data.shape_keys.animation_data
        shown = self._addon.evaluate(obj, bpy.context.evaluated_depsgraph_get())
        return [
            [round(key.value, 4) for key in keys.key_blocks],
            [round(v, 4) for bone in obj.find_armature().pose.bones for v in bone.matrix_basis[0]],
            data.action.name if data and data.action else "",
            sum(len(c.keyframe_points) for c in _curves(data)) if data else 0,
            len(data.nla_tracks) if data else 0,
            np.asarray(shown.means).mean(0).round(4).tolist(),
        ]


def _curves(data: bpy.types.AnimData) -> list[bpy.types.FCurve]:
    """The curves of the Action in use."""
    if data.action is None or data.action_slot is None:
        return []
    strips = [strip for layer in data.action.layers for strip in layer.strips]
    bags = [strip.channelbag(data.action_slot) for strip in strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]
