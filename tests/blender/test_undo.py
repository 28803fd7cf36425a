"""Undo and redo of every operator that says it can be undone."""

from __future__ import annotations

import bpy
import pytest
from likeness.blender_addon import registration
from likeness.engine.api.avatar_file import write_avatar

from tests.blender.synthetic import make_avatar
from tests.blender.undo_walk import Walk

ELSEWHERE = {
    "paste_pose",
    "make_pose_assets",
    "make_override",
    "convert_native",
    "remove_native",
}
"""A clipboard, the pictures of 29 poses, another file, native splats: they have their own tests."""


@pytest.fixture
def walk(tmp_path):
    path = tmp_path / "ball.likeness"
    write_avatar(path, make_avatar(gaussians=300))
    return Walk("likeness", path, tmp_path)


def test_every_operator_is_undone_and_done_again(walk):
    for seen in walk.run():
        assert seen.after != seen.before, f"{seen.name} changed nothing"
        assert seen.undone == seen.before, f"{seen.name} is not undone"
        assert seen.redone == seen.after, f"{seen.name} is not done again"


def test_no_operator_is_left_out(walk):
    undoable = {
        cls.bl_idname.split(".")[1]
        for module in registration._WITH_CLASSES
        for cls in module.classes
        if issubclass(cls, bpy.types.Operator) and "UNDO" in getattr(cls, "bl_options", ())
    }
    assert undoable - ELSEWHERE == {name for name, _ in walk.steps()}
