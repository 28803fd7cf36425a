"""Heads in Blender: listed from the user's folder, chosen for the next avatar, never guessed."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from likeness.blender_addon import heads
from likeness.engine.api.errors import LikenessError
from likeness.engine.api.head_library import HeadCard, write_card


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A head file with its card in the user's folder."""
    monkeypatch.setenv("LIKENESS_HEADS", str(tmp_path))
    path = tmp_path / "my_head.npz"
    path.write_bytes(b"PK")
    write_card(HeadCard("My Head", "CC0", "likeness", 2409, 52, 46, 2, ""), path)
    return path


def test_a_new_scene_tracks_with_the_built_in_head(added):
    assert bpy.context.scene.likeness_head == "Built-in"
    assert heads.chosen_path(bpy.context.scene) == ""


def test_choosing_a_head_sets_its_file_and_can_be_undone(added):
    assert [card.name for card in heads.cards()] == ["My Head"]
    assert bpy.ops.likeness.choose_head(name="My Head") == {"FINISHED"}
    assert heads.chosen_path(bpy.context.scene) == str(added)


def test_a_head_that_is_gone_is_told_and_not_replaced_by_another(added):
    bpy.context.scene.likeness_head = "Somebody's Head"
    with pytest.raises(LikenessError, match="not among your heads"):
        heads.chosen_path(bpy.context.scene)


def test_heads_cannot_be_added_before_the_engine_is_set_up(added):
    assert not bpy.ops.likeness.add_head.poll()
    assert not bpy.ops.likeness.download_head.poll()


def test_the_panel_asks_for_consent_with_the_licence_in_it():
    assert bpy.types.LIKENESS_PT_heads.bl_label == "Heads"
    for words in heads.LICENCES.values():
        assert "icen" in words
