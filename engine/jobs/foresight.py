"""How well each preview of a live fit shows the seconds after it, of which it has learned nothing.

The honest figure of a fit on the fly: no frame has to be held out for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..api.baked import BakedAvatar
from ..api.messages import Message

if TYPE_CHECKING:
    from ..stream import Arrived

SECONDS = 2.0
"""Frames of so long after a preview are compared with it."""
APART = 0.25
"""Seconds between those compared: each costs a rendering."""


class Foresight:
    """Watches one preview at a time; `rows` has one entry for each."""

    def __init__(self, emit: Callable[[Message], None]) -> None:
        self.rows: list[dict[str, float]] = []  # seconds, psnr
        self._emit = emit
        self._baked: BakedAvatar | None = None
        self._since, self._last = 0.0, 0.0  # seconds of the stream
        self._found: list[float] = []

    def watch(self, baked: BakedAvatar, now: float) -> None:
        """A preview was written `now` seconds into the stream."""
        self._tell()
        self._baked, self._since, self._last = baked, now, now - APART

    def see(self, arrived: Arrived, now: float) -> None:
        """A frame has come, and nobody has learned from it yet."""
        if self._baked is None or now - self._last < APART or not arrived.recent:
            return
        if now - self._since > SECONDS:
            self._tell()
            return
        from ..metrics import on_black, psnr
        from ..render import render_baked

        self._last = now
        frame = arrived.frame
        image, _ = render_baked(self._baked, frame.params, frame.camera)
        self._found.append(psnr(np.clip(image, 0, 1), on_black(frame)))

    def _tell(self) -> None:
        if self._found:
            row = {"seconds": round(self._since, 2), "psnr": round(float(np.mean(self._found)), 2)}
            self.rows.append(row)
            words = (
                f"Preview at {row['seconds']:.1f} s: {row['psnr']:.1f} dB on what came after it."
            )
            self._emit({"event": "notice", "message": words})
        self._baked, self._found = None, []
