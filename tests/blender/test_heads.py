"""Heads in Blender: listed from the user's folder, chosen for the next avatar, never guessed."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import bpy
import pytest
from likeness.blender_addon import heads, jobs
from likeness.blender_addon.bridge import Engine
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


LIBRARIAN = """
import json, sys
from pathlib import Path
here = Path(__file__).parents[1]
for line in sys.stdin:
    ask = json.loads(line)
    (here / "told.json").write_text(line)
    if ask["what"].endswith(".pkl"):
        said = {"event": "error", "message": "The pickle asks to run os.system.", "hint": "Do not."}
    else:
        said = {"event": "result", "path": str(here), "heads": [], "words": ""}
    print(json.dumps({"id": ask["id"], **said}), flush=True)
"""


@pytest.fixture
def librarian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine that does nothing but note what heads it is asked for."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    (tmp_path / "engine" / "__main__.py").write_text(LIBRARIAN)
    monkeypatch.setattr(jobs, "Engine", functools.partial(Engine, root=tmp_path))
    jobs.preferences(bpy.context).engine_python = sys.executable
    yield tmp_path
    jobs.close()


def told(folder: Path) -> dict[str, object]:
    request = json.loads((folder / "told.json").read_text())
    return {key: request[key] for key in ("do", "action", "what", "consent") if key in request}


def test_a_head_file_is_added_by_the_engine_and_of_obj_files_their_folder(librarian):
    assert bpy.ops.likeness.add_head(filepath="/heads/flame2023.npz") == {"FINISHED"}
    assert told(librarian) == {"do": "heads", "action": "add", "what": "/heads/flame2023.npz"}
    bpy.ops.likeness.add_head(filepath="/heads/ict/generic_neutral_mesh.obj")
    assert told(librarian)["what"] == "/heads/ict"


def test_a_head_that_is_refused_is_reported_in_the_engines_words(librarian):
    with pytest.raises(RuntimeError, match="asks to run os.system. Do not"):
        bpy.ops.likeness.add_head(filepath="/heads/evil.pkl")


def test_a_download_carries_the_consent_and_needs_online_access(librarian):
    bpy.context.preferences.system.use_online_access = False
    with pytest.raises(RuntimeError, match="Online Access"):
        bpy.ops.likeness.download_head(key="ict")
    assert not (librarian / "told.json").exists()
    bpy.context.preferences.system.use_online_access = True
    if not bpy.app.online_access:
        pytest.skip("this Blender was started in offline mode")
    assert bpy.ops.likeness.download_head(key="ict") == {"FINISHED"}
    assert told(librarian) == {
        "do": "heads",
        "action": "download",
        "what": "ict",
        "consent": True,
    }
