"""The only axis, camera and colour conversions between the engine's spaces and Blender's.

Head and world space: x to the subject's left, y up, z out of the face, OpenCV cameras. Blender: the
face looks along -y, z is up, cameras look along their own -z. The map (x, y, z) -> (x, -z, y) is a
proper rotation, so triangles, tangent frames and rotation vectors carry over unchanged. NumPy only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..engine.api.rotations import matrix_from_rotvec

TO_BLENDER = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
FLIP_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV camera axes <-> Blender's


def vectors_to_blender(vectors: np.ndarray) -> np.ndarray:
    """Points, offsets or rotation vectors [..., 3] of the head or the world, in Blender's axes."""
    return np.asarray(vectors) @ TO_BLENDER.T


def vectors_to_head(vectors: np.ndarray) -> np.ndarray:
    """Inverse of `vectors_to_blender`."""
    return np.asarray(vectors) @ TO_BLENDER


def rotations_to_blender(rotvecs: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] in Blender's axes of the head's rotation vectors [..., 3]."""
    return matrix_from_rotvec(vectors_to_blender(rotvecs))


class LensSettings(NamedTuple):
    """What a Blender camera and render need so that they film as a pinhole camera did."""

    lens: float  # millimetres
    sensor_width: float  # millimetres, sensor fit horizontal
    shift_x: float  # in widths of the image
    shift_y: float
    pixel_aspect_y: float  # pixel_aspect_x is 1


def camera_matrix_world(viewmat: np.ndarray) -> np.ndarray:
    """`matrix_world` [4, 4] of a Blender camera for an OpenCV world-to-camera matrix [4, 4]."""
    axes = np.eye(4)
    axes[:3, :3] = TO_BLENDER
    return axes @ np.linalg.inv(viewmat) @ FLIP_CAMERA


def lens_settings(K: np.ndarray, width: int, height: int) -> LensSettings:
    """Lens of a Blender camera for intrinsics [3, 3] in pixels. Skew is ignored."""
    sensor_width = 36.0
    return LensSettings(
        lens=float(K[0, 0] * sensor_width / width),
        sensor_width=sensor_width,
        shift_x=float((width / 2 - K[0, 2]) / width),
        # Blender shifts by sensor widths in both axes, and its pixels may be taller than wide.
        shift_y=float((K[1, 2] - height / 2) / width * (K[0, 0] / K[1, 1])),
        pixel_aspect_y=float(K[0, 0] / K[1, 1]),
    )


def view_depths(points: np.ndarray, view_matrix: np.ndarray) -> np.ndarray:
    """Distance [...] in front of a Blender view (world to camera) along its axis, of [..., 3]."""
    row = np.asarray(view_matrix)[2]
    return -(points @ row[:3].astype(points.dtype) + points.dtype.type(row[3]))


def linear_from_srgb(colors: np.ndarray) -> np.ndarray:
    """Display-referred sRGB numbers [...] to linear Rec.709, both 0..1 (IEC 61966-2-1)."""
    colors = np.asarray(colors)
    bright = ((np.maximum(colors, 0.04045) + 0.055) / 1.055) ** 2.4
    return np.where(colors <= 0.04045, colors / 12.92, bright)


def srgb_from_linear(light: np.ndarray) -> np.ndarray:
    """Inverse of `linear_from_srgb`."""
    light = np.asarray(light)
    bright = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, bright)
