"""Recorded movement of a face from any source, by expression name, before it meets an avatar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Motion(NamedTuple):
    """T moments. Values are coefficients, 0 neutral to 1 full."""

    times: np.ndarray  # [T] seconds from the start, ascending
    values: Mapping[str, np.ndarray]  # name -> [T]
    head: np.ndarray | None = None  # [T, 3] rotation vectors in head axes, radians
