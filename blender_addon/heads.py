"""The heads that Blender can offer: the built-in one and those of the user's folder.

The scene remembers the chosen one by its name, since folders differ between machines.
"""

from __future__ import annotations

import bpy

from ..engine.api.errors import LikenessError
from ..engine.api.head_library import HeadCard, list_cards

BUILTIN = "Built-in"
LICENCES = {
    "ict": "ICT-FaceKit, MIT licence, copyright 2020 USC Institute for Creative Technologies",
    "gnm": "GNM Head v3, Apache License 2.0, copyright 2026 Google LLC, 53 MB",
}
"""What can be downloaded with the user's consent, and what the consent is asked for."""


def cards() -> list[HeadCard]:
    """The heads of the user's folder."""
    return list_cards()


def chosen_path(scene: bpy.types.Scene) -> str:
    """The file of the head to track with; '' is the built-in one. Raises LikenessError."""
    name = scene.likeness_head
    if name in ("", BUILTIN):
        return ""
    for card in cards():
        if card.name == name:
            return card.path
    raise LikenessError(
        f"The head {name} is not among your heads.", "Add it again, or choose another one."
    )


def redraw(_: str) -> None:
    """Panels list what lies in the heads folder; they only need to be drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()


def register_properties() -> None:
    bpy.types.Scene.likeness_head = bpy.props.StringProperty(
        name="Head",
        description="The head model that the next avatar is tracked with",
        default=BUILTIN,
    )


def unregister_properties() -> None:
    del bpy.types.Scene.likeness_head
