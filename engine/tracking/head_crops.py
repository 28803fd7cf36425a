"""The head crops on disk while tracking, so that memory stays small for long footage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..footage import Footage, FootageFrame
from .crop import HeadCrop
from .in_order import in_order
from .views import TurnedCrop


class HeadCrops:
    """T square crops in files of their own, and their mattes where the footage has any."""

    def __init__(self, work: Path, count: int, size: int, with_alpha: bool) -> None:
        self._paths = [work / "crops.raw"] + ([work / "alphas.raw"] if with_alpha else [])
        shape = (count, size, size)
        self.images = np.memmap(self._paths[0], np.uint8, "w+", shape=(*shape, 3))
        self.alphas = np.memmap(self._paths[1], np.uint8, "w+", shape=shape) if with_alpha else None

    def fill(
        self,
        frames: slice,
        footage: Footage,
        view: HeadCrop | TurnedCrop,
        advance: Callable[[int], None],
    ) -> np.ndarray:
        """Read one clip's crops into `frames`; `advance` is told each frame. Returns times [T]."""
        size = self.images.shape[1]
        times = np.zeros(frames.stop - frames.start)

        def cut(numbered: tuple[int, FootageFrame]) -> int:
            index, frame = numbered
            times[index - frames.start] = frame.time
            self.images[index] = view.image(frame.rgb, size)
            if self.alphas is not None and frame.alpha is not None:
                self.alphas[index] = view.image(frame.alpha, size, outside=0)
            return index

        for index in in_order(cut, enumerate(footage.frames(len(times)), frames.start)):
            advance(index)
        return times

    def remove(self) -> None:
        """Delete the files; the arrays are gone with them."""
        del self.images, self.alphas  # Windows keeps a mapped file
        for path in self._paths:
            path.unlink(missing_ok=True)
