"""How far a fit is: by the images it has seen, or by the seconds it may take, whichever is more."""

from __future__ import annotations

import time

REPORT_SECONDS = 0.5
"""A fit says something as often as this: so soon is it stopped."""


class Pace:
    """The clock of one fit, over interruptions too. Its seconds include the start and the end."""

    def __init__(self, images: int, seconds: float | None = None) -> None:
        """`seconds` limits the fit from now on to the end of what follows the last step."""
        self.images = images
        self.reserve = 0.0  # seconds that the end will take
        self._limit = seconds
        self._started = self._reported = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds of this fit so far."""
        return time.monotonic() - self._started

    def resume(self, spent: float) -> None:
        """Count the seconds that an interrupted run has spent before."""
        self._started -= spent

    def done(self, images: int) -> float:
        """Where the fit stands after so many images: 0 to 1, at which its steps end."""
        share = images / self.images
        if self._limit is not None:
            share = max(share, self.spent / max(self._limit - self.reserve, 1e-3))
        return min(share, 1.0)

    def report_due(self) -> bool:
        """Whether it is time for a report; it counts as given."""
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return False
        self._reported = now
        return True
