"""The mattes of a clip by the way that was asked for: quick, closed-form, or the user's network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..api.settings import TrackSettings
from .background import background, evidence, plate_frames
from .detectors import person_segmenter
from .live_matte import quick_matte
from .matting import Problem, mattes, matting_problem, steady
from .video_matting import network_mattes

Images = np.ndarray | Sequence[np.ndarray]


def matted(images: Images, faces: np.ndarray, settings: TrackSettings) -> Iterator[np.ndarray]:
    """Alpha [H, W] float32 of each image.

    `images`: T of [H, W, 3] uint8 of one clip, read more than once; `faces` [T, 468, 2] in pixels.
    Raises TrackingError when the user's network is not one that can be used.
    """
    if settings.matting:
        yield from network_mattes(settings.matting, images, faces)
        return
    with person_segmenter() as segment:

        def mask_of(image: np.ndarray) -> np.ndarray:
            return segment(np.ascontiguousarray(image))

        if settings.fast_matte:
            for image, face in zip(images, faces, strict=True):
                yield quick_matte(mask_of(image), face)
            return
        chosen = [images[index] for index in plate_frames(len(images))]
        behind = background(chosen, (mask_of(image) for image in chosen))

        def problems() -> Iterator[Problem]:
            for image, face in zip(images, faces, strict=True):
                mask = mask_of(image)
                yield matting_problem(mask, face, evidence(image, mask, behind))

        yield from steady(mattes(images, problems()))
