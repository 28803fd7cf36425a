"""Help where it is needed: every operator says what it does, and every grey button why it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import bpy
import pytest
from likeness.blender_addon import character, registration
from likeness.operators import manual
from likeness.operators.explained import Explained

from tests.blender.synthetic import make_avatar

OPERATORS = [
    cls
    for module in registration._WITH_CLASSES
    for cls in module.classes
    if issubclass(cls, bpy.types.Operator)
]
OF_BLENDER = {"filepath", "check_existing"}  # properties of its import and export operators


def call(cls: type[bpy.types.Operator]) -> object:
    return getattr(bpy.ops.likeness, cls.bl_idname.removeprefix("likeness."))


def own_properties(cls: type[bpy.types.Operator]) -> Iterator[bpy.types.Property]:
    """What a user can see of an operator's properties, without those that Blender adds."""
    for found in call(cls).get_rna_type().properties:
        if found.is_runtime and not found.is_hidden and found.identifier not in OF_BLENDER:
            yield found


def said(text: str) -> bool:
    """Whether a tooltip says something: a few words, no full stop, which Blender adds."""
    return len(text.split()) >= 3 and not text.endswith(".")


@pytest.fixture(params=["empty file", "avatar", "avatar in edit mode", "engine at work"])
def state(request):
    """States in which different buttons are grey."""
    if request.param.startswith("avatar"):
        character.build(bpy.context, make_avatar())
    if request.param.endswith("edit mode"):
        bpy.ops.object.mode_set(mode="EDIT")
    bpy.context.window_manager.likeness.running = request.param == "engine at work"
    yield request.param
    bpy.context.window_manager.likeness.running = False


def test_every_operator_is_looked_at():
    assert {cls.bl_idname.split(".")[1] for cls in OPERATORS} == set(dir(bpy.ops.likeness))


def test_operators_say_what_they_do():
    words = {cls.bl_idname: call(cls).get_rna_type().description for cls in OPERATORS}
    assert {name: text for name, text in words.items() if not said(text)} == {}


def test_what_operators_can_be_told_is_explained():
    words = {
        f"{cls.bl_idname} {found.identifier}": found.description
        for cls in OPERATORS
        for found in own_properties(cls)
    }
    assert len(words) > 20
    assert {name: text for name, text in words.items() if not said(text)} == {}


def test_only_explained_operators_can_be_grey():
    polls = {kind for cls in OPERATORS for kind in cls.__mro__ if "poll" in vars(kind)}
    assert polls == {Explained}


def test_a_grey_button_says_why(state):
    grey = [cls for cls in OPERATORS if not call(cls).poll()]
    assert grey
    for cls in grey:
        reason = cls.disabled_reason(bpy.context)
        assert said(reason), cls
        with pytest.raises(RuntimeError, match=re.escape(reason)):
            call(cls)()


def test_the_manual_opens_and_is_no_part_of_the_file():
    assert bpy.ops.likeness.open_manual() == {"FINISHED"}
    assert bpy.ops.likeness.open_manual() == {"FINISHED"}
    text = bpy.data.texts[manual.MANUAL.name]
    assert "Filming" in text.as_string()
    assert len(bpy.data.texts) == 1
    assert not text.use_fake_user
