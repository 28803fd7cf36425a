"""Where the eyes look, from the irises: the ray through an iris meets the eyeball's sphere.

Angles are in head space: yaw positive to the subject's left, pitch positive down, radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..api.head import HeadModel
from .pose import Poses

# MediaPipe's iris centres of the subject's left and right eye.
IRIS_CENTRES = (473, 468)
# Upper and lower lid, inner and outer corner of the same eyes.
LIDS = ((386, 374, 362, 263), (159, 145, 133, 33))
# An eye opened less than this share of its usual opening hides its iris.
CLOSED = 0.45
LIMIT = np.radians(35.0)
# eyeLook coefficients are in units of this angle (docs/ARCHITECTURE.md).
FULL_LOOK = np.radians(30.0)
# Iris landmarks move less than irises do. Of two people who keep looking at the camera while their
# heads turn, the eyes' yaw follows it by 0.75 and 0.81, the pitch by 0.45 and 0.5; of the sample's
# drawn eyes by 0.8 to 0.9 and 0.55.
DULLED = np.array([0.8, 0.55])  # yaw, pitch
# Standard deviation of the landmarks' constant error for a person, yaw and pitch: faces are
# symmetric, eyes sit higher or lower than the landmarks have them.
LIKELY_BIAS = np.radians([3.0, 10.0])
MAX_BIAS = np.radians(25.0)
# Eyes cannot diverge, so that is all error; they do converge, and only this much of it is error.
MAX_CONVERGING_BIAS = np.radians(4.0)
LOOKS = ("eyeLookOut", "eyeLookIn", "eyeLookUp", "eyeLookDown")


@dataclass(frozen=True)
class Eyeballs:
    """Centres [2, 3] and radii [2] in head space, left and right."""

    centres: np.ndarray
    radii: np.ndarray


def eyeballs(head: HeadModel) -> Eyeballs:
    """The head's eyeballs, from its joints and the vertices that turn with them."""
    centres = head.joint_positions[3:5].astype(np.float64)
    radii = [
        np.median(np.linalg.norm(head.vertices[head.skin_weights[:, j] > 0.9] - centre, axis=-1))
        for j, centre in zip((3, 4), centres, strict=True)
    ]
    return Eyeballs(centres, np.array(radii))


def open_share(landmarks: np.ndarray) -> np.ndarray:
    """How open each eye is [T, 2], as a share of its usual opening. NaN where lost."""
    ratios = opening(landmarks)
    return ratios / usual_opening(ratios)


def opening(landmarks: np.ndarray) -> np.ndarray:
    """Height over width [T, 2] of each eye. NaN where lost."""
    upper, lower, inner, outer = np.array(LIDS).T
    gap = np.linalg.norm(landmarks[:, upper, :2] - landmarks[:, lower, :2], axis=-1)
    width = np.linalg.norm(landmarks[:, inner, :2] - landmarks[:, outer, :2], axis=-1)
    return gap / np.maximum(width, 1e-6)


def usual_opening(ratios: np.ndarray) -> np.ndarray:
    """What counts as open [2] for eyes of ratios [T, 2]: each one's own 80th percentile."""
    return np.maximum(np.nanpercentile(ratios, 80, axis=0), 1e-6)


def gaze_angles(balls: Eyeballs, poses: Poses, landmarks: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Yaw and pitch [T, 2 eyes, 2] in head space of finite landmarks [T, 478, 3]; unsmoothed."""
    pixels = landmarks[:, IRIS_CENTRES, :2]
    rays = (np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)) @ np.linalg.inv(K).T
    rays = rays @ poses.rotation  # into head space
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    eye = -np.einsum("tji,tj->ti", poses.rotation, poses.translation)[:, None]
    to_centre = balls.centres - eye
    along = (to_centre * rays).sum(-1)
    # Beyond the limb the nearest point of the sphere stands in.
    inside = np.maximum(balls.radii**2 - ((to_centre**2).sum(-1) - along**2), 0)
    hit = eye + rays * (along - np.sqrt(inside))[..., None]
    return _angles(hit - balls.centres) / DULLED


def _angles(direction: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(direction, -1, 0)
    return np.stack([np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))], -1)


def steady_gaze(
    angles: np.ndarray, balls: Eyeballs, poses: Poses, opened: np.ndarray, fps: float
) -> np.ndarray:
    """Yaw and pitch [T, 2, 2] without the landmark's bias, closed eyes bridged, pitch shared.

    Yaws stay each eye's own: people squint at their noses.
    """
    good = opened > CLOSED
    angles = angles - gaze_bias(angles, balls, poses, opened)
    for side in range(2):
        for axis in range(2):
            angles[:, side, axis] = _bridge(angles[:, side, axis], good[:, side])
    angles[..., 1] = angles[..., 1].mean(-1, keepdims=True)
    if len(angles) > 1:
        # A saccade lasts about two frames; this is shorter.
        angles = gaussian_filter1d(angles, 0.02 * fps, axis=0, mode="nearest")
    return np.clip(angles, -LIMIT, LIMIT)


def gaze_bias(angles: np.ndarray, balls: Eyeballs, poses: Poses, opened: np.ndarray) -> np.ndarray:
    """The part [2, 2] of the eyes' usual yaw and pitch off the camera that is error, from angles
    [T, 2, 2] of frames in which both eyes are open.

    Who looks steadily looks at the camera; whose eyes wander usually looks who knows where. So the
    usual direction is the camera's to within the spread of the looks, against LIKELY_BIAS.
    """
    both = (opened > CLOSED).all(1)
    if not both.any():
        return np.zeros((2, 2))
    looks = (angles - towards_camera(balls, poses))[both]
    usual = np.median(looks, axis=0)
    # 1.48 makes the median deviation a standard deviation.
    spread = 1.48 * np.median(np.abs((looks - usual).mean(1)), axis=0)
    common = usual.mean(0) * LIKELY_BIAS**2 / (LIKELY_BIAS**2 + spread**2)
    common = np.clip(common, -MAX_BIAS, MAX_BIAS)
    apart = np.clip((usual[0, 0] - usual[1, 0]) / 2, -MAX_CONVERGING_BIAS, MAX_BIAS)
    return common + np.array([[apart, 0.0], [-apart, 0.0]])


def towards_camera(balls: Eyeballs, poses: Poses) -> np.ndarray:
    """Yaw and pitch [T, 2, 2] of eyes that look at the camera."""
    eye = -np.einsum("tji,tj->ti", poses.rotation, poses.translation)[:, None]
    return _angles(eye - balls.centres)


def _bridge(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Values [T] with those that are not good interpolated between those that are."""
    if not good.any():
        return np.zeros_like(values)
    index = np.arange(len(values))
    return np.interp(index, index[good], values[good])


def look_coefficients(angles: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Expression coefficients [T, E] of the eyeLook shapes for yaw and pitch [T, 2, 2]."""
    result = np.zeros((len(angles), len(names)), np.float32)
    for side, (suffix, outward) in enumerate((("Left", 1.0), ("Right", -1.0))):
        yaw, pitch = outward * angles[:, side, 0], angles[:, side, 1]
        for look, value in zip(LOOKS, (yaw, -yaw, -pitch, pitch), strict=True):
            if look + suffix in names:
                result[:, names.index(look + suffix)] = np.clip(value / FULL_LOOK, 0, 1)
    return result


def eye_rotations(angles: np.ndarray) -> np.ndarray:
    """Rotation vectors [T, 2, 3] of the eye joints for yaw and pitch [T, 2, 2]."""
    return np.stack([angles[..., 1], angles[..., 0], np.zeros_like(angles[..., 0])], -1)
