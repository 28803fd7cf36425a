"""The frames of a stream that a fit may learn from: as many slots as its pools hold, filled again
and again. To the fit they look like the frames of a clip."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..api.head import HeadParams
from ..avatar import drive, param_tensors
from ..stream import Arrived, Learned
from .picture_store import picture_store
from .pools import Pools
from .training_frames import FrameSlots, premultiplied

DRIVEN_TOGETHER = 64
"""Heads posed at once: their vertices alone are 2 MB."""


class PoolFrames(FrameSlots):
    """Slots with picture, code and posed head. The first `len(self)` of them have been filled."""

    def __init__(self, person: Learned, pools: Pools, size: int, device: torch.device) -> None:
        """Pictures are shrunk to `size` where they are larger."""
        super().__init__(person.camera, size, device)
        self._head, self._pools, self._filled = person.head, pools, 0
        # One more than the pools hold: a frame is written before another has to go.
        count = pools.capacity + 1
        self._free = list(range(count))[::-1]
        self.numbers = np.full(count, -1)  # frame of the footage in each slot
        neutral = HeadParams.neutral(len(person.head.expression_names), count)
        self.params = param_tensors(neutral, device)
        self.codes = torch.zeros((count, len(person.head.code_names)), device=device)
        self.vertices = torch.zeros((count, len(person.head.vertices), 3), device=device)
        self._pictures = picture_store(count, self.height, self.width, device)

    def __len__(self) -> int:
        return self._filled

    def keep(self, arrived: Arrived) -> int | None:
        """Take a frame into the pools. Returns its slot, or None when chance dropped it at once."""
        slot = self._free.pop()
        picture = premultiplied(arrived.frame, (self.width, self.height))
        self._pictures.put(slot, picture)
        self.numbers[slot] = arrived.number
        self._filled = max(self._filled, slot + 1)
        self._drive(np.array([slot]), arrived.frame.params[None])
        dropped = self._pools.add(slot, arrived.recent)
        if dropped is not None:
            self._free.append(dropped)
        return None if dropped == slot else slot

    def draw(self, batch: int) -> Tensor:
        """Slots [batch] to learn from next."""
        return torch.tensor(self._pools.draw(batch))

    def know(self, person: Learned) -> None:
        """The frames' poses in terms of a head that is known better."""
        self._head = person.head
        slots = np.flatnonzero(np.isin(self.numbers, person.numbers))
        rows = np.searchsorted(person.numbers, self.numbers[slots])
        for start in range(0, len(slots), DRIVEN_TOGETHER):
            part = slice(start, start + DRIVEN_TOGETHER)
            self._drive(slots[part], person.params[rows[part]])

    def _drive(self, slots: np.ndarray, params: HeadParams) -> None:
        codes, vertices = drive(self._head, params)
        index = torch.from_numpy(slots)
        for name, value in vars(param_tensors(params, self.codes.device)).items():
            getattr(self.params, name)[index] = value
        self.codes[index] = codes.to(self.codes.device)
        self.vertices[index] = vertices.to(self.vertices.device)
