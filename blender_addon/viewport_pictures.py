"""Pictures of avatars that viewports lay onto their views, blended off-screen.

Blender redraws a view many times in which nothing has changed: while its samples add up, or when
the pointer crosses a gizmo. Then the picture that is there is used again. One is kept for each size
of view, for it takes 24 bytes a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import splat_shader
from .cpu_splats import View
from .splat_shader import SplatTarget, UploadedSplats

_MOST = 6  # viewports of different sizes that are open at once


@dataclass
class Picture:
    """What a frame buffer shows."""

    target: SplatTarget
    splats: UploadedSplats | None = None
    seen: bytes = b""  # equal where the view and the blur are
    front: float = 0.0  # metres to the nearest Gaussian


_pictures: dict[tuple[int, int], Picture] = {}  # by width and height, the last used one at the end


def forget() -> None:
    """Drop what is kept; for a new file and for unregistering."""
    _pictures.clear()


def blend(splats: UploadedSplats, view: View, sharpness: float, footprint: float) -> Picture:
    """The Gaussians in a view, valid until the next call. See `splat_shader.draw_splats`."""
    picture = _of_size(view.width, view.height)
    numbers = (view.view_matrix, view.window_matrix, (sharpness, footprint))
    seen = b"".join(np.asarray(part, np.float64).tobytes() for part in numbers)
    if picture.splats is not splats or picture.seen != seen:
        picture.front = splat_shader.draw_splats(splats, view, picture.target, sharpness, footprint)
        picture.splats, picture.seen = splats, seen
    return picture


def _of_size(width: int, height: int) -> Picture:
    picture = _pictures.pop((width, height), None)
    if picture is None:
        if len(_pictures) >= _MOST:  # every size of an area while it is being dragged
            del _pictures[next(iter(_pictures))]
        picture = Picture(SplatTarget.create(width, height))
    _pictures[width, height] = picture
    return picture
