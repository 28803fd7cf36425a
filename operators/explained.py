"""Buttons that say why they are grey."""

from __future__ import annotations

import bpy


class Explained:
    """Turns `disabled_reason` into Blender's `poll` and the greyed-out button's tooltip."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Why the button is grey, or ''."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = cls.disabled_reason(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason
