"""Text of several lines, which Blender's labels do not break. Draws only."""

from __future__ import annotations

import bpy

_WIDTH = 34  # characters that a sidebar of the usual width shows


def draw_text(layout: bpy.types.UILayout, text: str, icon: str) -> None:
    """Labels of whole words below one another, the icon before the first."""
    layout = layout.column(align=True)
    layout.scale_y = 0.8
    line = ""
    for word in text.split():
        if line and len(line) + len(word) >= _WIDTH:
            layout.label(text=line, icon=icon)
            line, icon = "", "BLANK1"
        line = f"{line} {word}".strip()
    layout.label(text=line, icon=icon)
