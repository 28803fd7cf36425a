"""One camera for several clips: each clip's camera, turned towards its head and zoomed.

A crop of its own has an image centre and a focal length of its own. Turning a camera on the spot
and changing its focal length only warps its picture (a homography), so clips of different sizes
and framings can be seen as if by one camera matrix K, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..api.rotations import matrix_from_rotvec
from ..imaging import resize, warp
from .crop import HeadCrop


@dataclass(frozen=True)
class TurnedCrop:
    """What a camera sees that stands where the footage's stood and looks at the head."""

    frame_from_view: np.ndarray  # [3, 3] homography of pixels, for a view of `size`
    size: int
    frame_width: int
    frame_height: int

    def image(self, image: np.ndarray, size: int, outside: int | None = None) -> np.ndarray:
        """The view of a frame [H, W, C]; see imaging.crop_square for `outside`."""
        # One pixel of the view covers so many of the frame; those are averaged first.
        shrink = min(1.0, 1 / self._magnification())
        width, height = (max(1, round(side * shrink)) for side in image.shape[1::-1])
        if shrink < 1:
            image = resize(image, width, height)
        scale = np.diag([width / self.frame_width, height / self.frame_height, 1.0])
        return warp(image, scale @ self.frame_from_view, size, outside)

    def _magnification(self) -> float:
        """Frame pixels across one pixel in the middle of the view."""
        middle = self.frame_from_view @ np.array([self.size / 2, self.size / 2, 1.0])
        at, depth = middle[:2] / middle[2], middle[2]
        jacobian = self.frame_from_view[:2, :2] - np.outer(at, self.frame_from_view[2, :2])
        return float(np.sqrt(abs(np.linalg.det(jacobian / depth))))

    def inside(self, size: int) -> np.ndarray:
        """Boolean [size, size]: which pixels of the view were filmed."""
        centres = np.arange(size) + 0.5
        x, y = np.meshgrid(centres, centres)
        points = np.stack([x, y, np.ones_like(x)], -1) @ self.frame_from_view.T
        x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
        return (y > 0) & (y < self.frame_height) & (x > 0) & (x < self.frame_width)


def one_view(
    crops: Sequence[HeadCrop], focal: float, size: int
) -> tuple[list[HeadCrop | TurnedCrop], np.ndarray]:
    """Views of the heads in several clips that share one camera matrix K [3, 3], and that matrix.

    `focal` is each camera's focal length in units of its own frame's long side. A single clip keeps
    its plain crop. The widest head sets the angle of view.
    """
    if len(crops) == 1:
        return [crops[0]], crops[0].intrinsics(focal, size)
    cameras = [_camera(crop, focal) for crop in crops]
    widest = max(crop.side / K[0, 0] for crop, K in zip(crops, cameras, strict=True))
    view = np.array([[size / widest, 0, size / 2], [0, size / widest, size / 2], [0, 0, 1]])
    turned = [_turned(crop, K, view, size) for crop, K in zip(crops, cameras, strict=True)]
    return list(turned), view


def _camera(crop: HeadCrop, focal: float) -> np.ndarray:
    """The matrix [3, 3] of the camera that filmed the whole frame."""
    length = focal * max(crop.frame_width, crop.frame_height)
    return np.array([[length, 0, crop.frame_width / 2], [0, length, crop.frame_height / 2],
                     [0, 0, 1]])  # fmt: skip


def _turned(crop: HeadCrop, camera: np.ndarray, view: np.ndarray, size: int) -> TurnedCrop:
    middle = np.array([crop.left + crop.side / 2, crop.top + crop.side / 2, 1.0])
    ray = np.linalg.inv(camera) @ middle
    ray /= np.linalg.norm(ray)
    # The shortest turn from straight ahead to the head.
    axis = np.cross([0.0, 0.0, 1.0], ray)
    angle = np.arctan2(np.linalg.norm(axis), ray[2])
    turn = matrix_from_rotvec(axis / max(np.linalg.norm(axis), 1e-12) * angle)
    homography = camera @ turn @ np.linalg.inv(view)
    return TurnedCrop(homography, size, crop.frame_width, crop.frame_height)
