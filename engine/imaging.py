"""Pictures: read, write, resize, crop, blur, and sparse optical flow. Only this imports cv2.

Images are RGB or RGBA uint8 [H, W, C] in memory; cv2's BGR order never leaves this file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def read_image(path: str | Path) -> tuple[np.ndarray, np.ndarray | None] | None:
    """RGB [H, W, 3] and alpha [H, W] or None, both uint8; None when it is not a readable image.

    A camera's orientation tag is honoured; 16-bit images are reduced to 8.
    """
    data = np.fromfile(path, np.uint8)  # imread cannot open every path on Windows
    if not data.size:
        return None
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is None:
        return None
    if image.ndim == 3 and image.shape[2] == 4:
        image = _to_8_bit(image)
        return np.ascontiguousarray(image[..., 2::-1]), np.ascontiguousarray(image[..., 3])
    # IMREAD_UNCHANGED leaves the picture as the sensor saw it; IMREAD_COLOR turns it upright.
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), None


def _to_8_bit(image: np.ndarray) -> np.ndarray:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8)


def camera_pictures(camera: int | str) -> Iterator[np.ndarray]:
    """RGB pictures of a camera, by its number or device file, as it gives them. Raises OSError when
    it cannot be opened."""
    capture = cv2.VideoCapture(camera)
    try:
        if not capture.isOpened():
            raise OSError(f"camera {camera} cannot be opened")
        while (shot := capture.read())[0]:
            yield cv2.cvtColor(shot[1], cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write RGB, RGBA or grey uint8 as PNG, to a temporary name first. Raises OSError.

    Left to itself OpenCV is twice as quick as when it is told any level, for files 4 % larger.
    """
    if image.ndim == 3:
        code = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        image = cv2.cvtColor(image, code)
    good, data = cv2.imencode(".png", image)
    if not good:
        raise OSError(f"cannot encode {path}")
    temporary = f"{path}.part"
    data.tofile(temporary)
    os.replace(temporary, path)


def planes(image: np.ndarray) -> list[np.ndarray]:
    """The channels [H, W] of an image [H, W, C], each contiguous: NumPy is slow on short rows."""
    return list(cv2.split(image))


def interleaved(channels: Sequence[np.ndarray]) -> np.ndarray:
    """The image [H, W, C] of channels [H, W]."""
    return cv2.merge(channels)


def with_alpha(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """RGBA [H, W, 4] of RGB [H, W, 3] and alpha [H, W], uint8."""
    rgba = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    rgba[..., 3] = alpha
    return rgba


def resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The image at another size: area average when it shrinks, cubic when it grows."""
    shrinks = width < image.shape[1]
    return cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )


def crop_square(
    image: np.ndarray, left: int, top: int, side: int, size: int, outside: int | None = None
) -> np.ndarray:
    """The square of `side` pixels at (left, top), scaled to `size`; it may leave the image.

    Beyond the image the border is repeated, or filled with the value `outside`.
    """
    height, width = image.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side, width), min(top + side, height)
    piece = image[y0:y1, x0:x1]
    edges = (y0 - top, top + side - y1, x0 - left, left + side - x1)
    if any(edges):
        kind = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
        piece = cv2.copyMakeBorder(piece, *edges, kind, value=[outside or 0] * 4)
    return np.ascontiguousarray(piece) if side == size else resize(piece, size, size)


def warp(
    image: np.ndarray,
    homography: np.ndarray,
    size: int | tuple[int, int],
    outside: int | None = None,
) -> np.ndarray:
    """The picture of `size` pixels (a square's side, or width and height) whose pixel p shows the
    image at homography @ p.

    Pixel centres are at half integers. Beyond the image as in crop_square.
    """
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    whole = np.linalg.inv(half) @ homography @ half  # cv2 has pixel centres at integers
    kind = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    return cv2.warpPerspective(
        image, whole, (size, size) if isinstance(size, int) else size,
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=kind, borderValue=[outside or 0] * 4,
    )  # fmt: skip


def box_blur(image: np.ndarray, radius: int) -> np.ndarray:
    """Mean over a (2 radius + 1) square, float32."""
    return cv2.blur(image, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REPLICATE)


def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur with a standard deviation in pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """A boolean mask grown by a disc of `radius` pixels."""
    return cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0


def erode(mask: np.ndarray, radius: int) -> np.ndarray:
    """A boolean mask shrunk by a disc of `radius` pixels; the image's edge does not eat into it."""
    return cv2.erode(mask.astype(np.uint8), _disc(radius)) > 0


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def connected_component(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """The connected parts of a boolean mask that touch the boolean `seed`."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    touched = np.zeros(count, bool)
    touched[labels[seed & mask]] = True
    return touched[labels]


def fill_polygon(shape: tuple[int, ...], points: np.ndarray) -> np.ndarray:
    """Boolean mask [H, W] of the convex hull of points [N, 2] in pixels."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), (1,))
    return mask > 0


def draw_lines(image: np.ndarray, points: np.ndarray, pairs: np.ndarray, color: tuple) -> None:
    """Draw anti-aliased lines between points [N, 2], pairs [M, 2], into an RGB image in place."""
    ends = np.round(points[pairs] * 16).astype(np.int32)[:, :, None]
    cv2.polylines(image, list(ends.reshape(-1, 2, 1, 2)), False, color, 1, cv2.LINE_AA, shift=4)


def corners(grey: np.ndarray, mask: np.ndarray, count: int, distance: float) -> np.ndarray:
    """Up to `count` trackable corners [N, 2] inside a boolean mask (Shi-Tomasi), best first."""
    found = cv2.goodFeaturesToTrack(grey, count, 0.002, distance, mask=mask.astype(np.uint8) * 255)
    return np.zeros((0, 2), np.float32) if found is None else found[:, 0] + 0.5


def follow_points(
    source: np.ndarray, target: np.ndarray, points: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lucas-Kanade flow of points [N, 2] from one grey image to another, started at `guess`.

    Returns the points found and which are good: those that lead back to within 0.5 px.
    """
    options: dict[str, Any] = {
        "winSize": (15, 15),
        "maxLevel": 1,
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
    }
    start = np.ascontiguousarray(points - 0.5, np.float32)[:, None]
    first = np.ascontiguousarray(guess - 0.5, np.float32)[:, None]
    there, ok, _ = cv2.calcOpticalFlowPyrLK(source, target, start, first.copy(), **options)
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(target, source, there, start.copy(), **options)
    error = np.linalg.norm((back - start)[:, 0], axis=-1)
    return there[:, 0] + 0.5, (ok[:, 0] > 0) & (ok_back[:, 0] > 0) & (error < 0.5)


def to_grey(image: np.ndarray) -> np.ndarray:
    """Luma [H, W] uint8 of an RGB image."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def fill_triangles(shape: tuple[int, ...], triangles: np.ndarray) -> np.ndarray:
    """Boolean mask [H, W] of the union of triangles [N, 3, 2] in pixels."""
    mask = np.zeros(shape, np.uint8)
    for triangle in np.round(triangles).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, (1,))
    return mask > 0
