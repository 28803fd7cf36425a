"""Previews of a running fit: the avatar so far as a .likeness file that is always whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.avatar_file import write_avatar
from ..api.messages import Message

if TYPE_CHECKING:
    from ..api.baked import BakedAvatar
    from ..avatar import Avatar
    from ..clip import TrackedClip

SHARE = 0.05
"""Previews may take this much of a fit's time."""
LEAST_SECONDS = 3.0
"""And come no faster than this."""


@dataclass
class Previews:
    """Writes the avatar so far, as often as its own cost allows."""

    path: str
    clip: TrackedClip
    info: dict[str, Any]
    emit: Callable[[Message], None]
    due: float = 0.0  # time.monotonic() of the next; the first comes at once

    @property
    def is_due(self) -> bool:
        """Whether one is wanted now."""
        return bool(self.path) and time.monotonic() >= self.due

    def offer(self, avatar: Avatar) -> BakedAvatar | None:
        """Write a preview if one is due; returns it."""
        if not self.is_due:
            return None
        from ..bake import bake

        started = time.monotonic()
        baked = bake(avatar, self.clip, self.info, draft=True)
        write_avatar(self.path, baked)
        self.emit({"event": "preview", "path": self.path})
        now = time.monotonic()
        self.due = now + max(LEAST_SECONDS, (now - started) / SHARE)
        return baked
