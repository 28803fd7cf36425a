"""Which frames of a stream are kept, and which of them are learned from (paper 000, section 3.3).

The newest frames lie in a local pool, first in first out. Those it gives up pass into a global pool
by reservoir sampling, so that every frame of the stream so far is in it with the same chance. A
batch draws from both: new sights are learned quickly, old ones are not forgotten. Items are any
numbers; nothing here knows of images.
"""

from __future__ import annotations

import numpy as np

from ..api.settings import OnlineSettings

FULL_SHARE_AFTER = 600
"""Frames given up by the local pool after which the code's share of global draws is at its most: a
frame just given up then weighs as much as the oldest that is still local."""


class LocalPool:
    """The last `size` items, oldest first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.items: list[int] = []

    def push(self, item: int) -> int | None:
        """Add the newest item; returns the one that had to leave for it, the oldest, if any."""
        self.items.append(item)
        return self.items.pop(0) if len(self.items) > self.size else None


class GlobalPool:
    """A uniform sample of all items offered so far: reservoir sampling, Vitter's Algorithm R."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.items: list[int] = []
        self.offered = 0

    def offer(self, item: int, random: np.random.Generator) -> int | None:
        """Offer one more item; returns the one that is in the pool no longer, or never was."""
        self.offered += 1
        if len(self.items) < self.size:
            self.items.append(item)
            return None
        place = int(random.integers(self.offered))
        if place >= self.size:
            return item
        self.items[place], item = item, self.items[place]
        return item


class Pools:
    """Both pools of one stream. The same seed and items give the same draws."""

    def __init__(self, settings: OnlineSettings, seed: int) -> None:
        self.settings = settings
        self.local = LocalPool(settings.local_pool)
        self.historic = GlobalPool(settings.global_pool)
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.local.items) + len(self.historic.items)

    @property
    def capacity(self) -> int:
        """How many items are held at most."""
        return self.local.size + self.historic.size

    def add(self, item: int, recent: bool = True) -> int | None:
        """Take in an item; returns one that is held no longer, perhaps itself. One that is not
        recent, because it could not be had in time, passes the local pool by."""
        leaving = self.local.push(item) if recent else item
        return None if leaving is None else self.historic.offer(leaving, self._random)

    @property
    def global_share(self) -> float:
        """The chance with which a draw is from the global pool, while both hold items."""
        most = self.settings.global_share
        if not self.settings.ramped:
            return most
        return most * min(self.historic.offered / FULL_SHARE_AFTER, 1.0)

    def draw(self, count: int) -> list[int]:
        """Items for one batch: each from a pool by the share, none twice while there are enough."""
        share = self.global_share if self.local.items else 1.0
        old = int((self._random.random(count) < share).sum()) if self.historic.items else 0
        newness = self.settings.newness * np.arange(len(self.local.items)) / max(self.local.size, 1)
        return [
            *self._pick(self.local.items, count - old, np.exp(newness)),
            *self._pick(self.historic.items, old, np.ones(len(self.historic.items))),
        ]

    def _pick(self, items: list[int], count: int, weights: np.ndarray) -> list[int]:
        if not count:
            return []
        chances = weights / weights.sum()
        again = count > len(items)
        return [items[i] for i in self._random.choice(len(items), count, again, chances)]
