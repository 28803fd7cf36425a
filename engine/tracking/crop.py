"""Where the head is in the footage: one static square that holds it in every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..api.errors import TrackingError
from ..footage import FootageFrame
from ..imaging import crop_square, resize
from .detectors import face_detector, landmarker
from .in_order import in_order
from .survey import Survey, Surveyor

# The coarse pass looks at frames no larger than this; the networks see 192 px in the end.
COARSE_SIDE = 720
# Faces are counted in every so manieth frame, by the slower detectors.
COUNT_EVERY = 6
# A second face counts when its side is this share of the first's, in this share of the frames.
RIVAL_SIZE, RIVAL_SHARE = 0.5, 0.25
# Head with hair and some shoulders around the face, in face heights (hairline to chin).
ABOVE, BELOW, BESIDE = 0.62, 0.62, 0.95
# The head with hair alone takes this share of that square.
TIGHTEST = 0.7
FOREHEAD, CHIN = 10, 152
FACE_WANTED = (
    "The face should fill a good part of the picture and look towards the camera; it may turn as "
    "far as a profile, but a profile alone cannot be tracked."
)


@dataclass(frozen=True)
class HeadCrop:
    """A static square of the footage, in its pixels; it may reach beyond the frame."""

    left: int
    top: int
    side: int
    frame_width: int
    frame_height: int

    def image(self, image: np.ndarray, size: int, outside: int | None = None) -> np.ndarray:
        """The crop of a frame [H, W, C] at `size`; see imaging.crop_square for `outside`."""
        return crop_square(image, self.left, self.top, self.side, size, outside)

    def intrinsics(self, focal: float, size: int) -> np.ndarray:
        """K [3, 3] of the crop, for a focal length in units of the frame's long side.

        The principal point is the frame's centre, not the crop's.
        """
        scale = size / self.side
        length = focal * max(self.frame_width, self.frame_height) * scale
        x = (self.frame_width / 2 - self.left) * scale
        y = (self.frame_height / 2 - self.top) * scale
        return np.array([[length, 0, x], [0, length, y], [0, 0, 1]])

    def inside(self, size: int) -> np.ndarray:
        """Boolean [size, size]: which pixels of the crop were filmed."""
        centres = (np.arange(size) + 0.5) * self.side / size
        x, y = centres + self.left, centres + self.top
        return ((y > 0) & (y < self.frame_height))[:, None] & ((x > 0) & (x < self.frame_width))


def find_head(
    frames: Iterable[FootageFrame], count: int, advance: Callable[[float], None]
) -> tuple[HeadCrop, Survey]:
    """The head's square over all frames, and what else was noticed in them.

    Raises TrackingError when there is no face, or two.
    """
    boxes: list[np.ndarray] = []
    surveyor = Surveyor()
    width = height = 0
    with landmarker(single_images=False) as find, face_detector() as detect:
        for index, (frame, small, scale) in enumerate(in_order(_shrunk, frames)):
            height, width = frame.shape[:2]
            points = find(small)
            faces = np.zeros((0, 4), np.float32)
            if index % COUNT_EVERY == 0 or points is None:
                faces = detect(small)
            box = _head_box(points, faces)
            counted = faces if index % COUNT_EVERY == 0 else None
            surveyor.see(frame, small, points, box, counted)
            boxes.append(box / scale)
            advance((index + 1) / count)
    survey = surveyor.survey()
    rivals = sum(share > RIVAL_SIZE for share in survey.second_face)
    if rivals > max(RIVAL_SHARE * len(survey.second_face), 0.5):
        raise TrackingError(
            f"Two faces are in the footage ({rivals} of {len(survey.second_face)} frames looked "
            "at).",
            "Crop the video so that one person is in it.",
        )
    return head_square(np.array(boxes), width, height), survey


def _shrunk(frame: FootageFrame) -> tuple[np.ndarray, np.ndarray, float]:
    """The picture, the same no larger than COARSE_SIDE, and the scale between them."""
    height, width = frame.rgb.shape[:2]
    scale = min(1.0, COARSE_SIDE / max(width, height))
    if scale == 1:
        return frame.rgb, frame.rgb, scale
    return frame.rgb, resize(frame.rgb, round(width * scale), round(height * scale)), scale


def _head_box(points: np.ndarray | None, faces: np.ndarray) -> np.ndarray:
    """The head's box (left, top, right, bottom) from landmarks, else from a face box, else NaN."""
    if points is not None:
        centre = points[:468, :2].mean(0)
        tall = np.linalg.norm(points[FOREHEAD, :2] - points[CHIN, :2])
        top, bottom = points[:468, 1].min(), points[:468, 1].max()
    elif len(faces):
        # The detectors' boxes run from the brows to the chin: about 0.8 of the face's height.
        left, top, right, bottom = faces[0]
        centre = np.array([left + right, top + bottom]) / 2
        tall = (bottom - top) / 0.8
        top = bottom - tall
    else:
        return np.full(4, np.nan)
    beside = BESIDE * tall
    return np.array(
        [centre[0] - beside, top - ABOVE * tall, centre[0] + beside, bottom + BELOW * tall]
    )


def head_square(boxes: np.ndarray, width: int, height: int) -> HeadCrop:
    """The square over head boxes [T, 4] (NaN where lost), moved into the frame where it fits.

    Raises TrackingError when too few frames have a face.
    """
    seen = np.isfinite(boxes[:, 0])
    if seen.mean() < 0.3:
        raise TrackingError(
            f"No face was found in {len(boxes) - seen.sum()} of {len(boxes)} frames.",
            FACE_WANTED,
        )
    # Percentiles, so that one false detection does not double the crop.
    left, top = np.percentile(boxes[seen, :2], 1, axis=0)
    right, bottom = np.percentile(boxes[seen, 2:], 99, axis=0)
    wanted = max(right - left, bottom - top)
    # Some shoulder is given up before the square leaves the frame, then the frame is padded.
    side = min(wanted, max(min(width, height), TIGHTEST * wanted), max(width, height))
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    x = np.clip(x, 0, width - side) if side <= width else (width - side) / 2
    y = np.clip(y, 0, height - side) if side <= height else (height - side) / 2
    return HeadCrop(round(float(x)), round(float(y)), round(float(side)), width, height)
