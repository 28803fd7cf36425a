"""Previews of a running fit: the avatar so far as a .likeness file that is always whole, and a
picture of it beside the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

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
PICTURE_SIZE = 192
"""Width of the picture in pixels."""


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
        picture = write_picture(Path(self.path).with_suffix(".png"), baked)
        self.emit({"event": "preview", "path": self.path, "picture": picture})
        now = time.monotonic()
        self.due = now + max(LEAST_SECONDS, (now - started) / SHARE)
        return baked


def write_picture(path: Path, baked: BakedAvatar) -> str:
    """The avatar in its usual pose on black, as the footage's camera saw it; the file's path."""
    from ..imaging import write_png
    from ..render import render_baked, source_camera, usual_pose

    rgb, _ = render_baked(baked, usual_pose(baked), source_camera(baked, PICTURE_SIZE))
    write_png(path, (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8))
    return str(path)
