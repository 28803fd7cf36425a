"""What the photo does not show: the eyeballs' irises, the teeth and the dark of the mouth."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..api.head import HeadModel, HeadParams
from ..api.rotations import matrix_from_rotvec
from .draw import Surface

EYE_TEXTURE, TEETH_TEXTURE = 256, 256  # pixels
IRIS, PUPIL, LIMBUS = 0.47, 0.17, 0.05  # in eyeball radii
TOOTH_WIDTH = 0.0075  # metres


def region_faces(head: HeadModel, *names: str) -> np.ndarray:
    """Triangles [n, 3] of the named regions."""
    wanted = [head.region_names.index(name) for name in names if name in head.region_names]
    return head.faces[np.isin(head.face_regions, wanted)]


@lru_cache(maxsize=1)
def eye_texture() -> np.ndarray:
    """RGBA of an eyeball seen from the front, radius = half the image; brown iris."""
    rng = np.random.default_rng(3)
    n = EYE_TEXTURE
    y, x = (np.mgrid[:n, :n] + 0.5) / n * 2 - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    sclera = np.array([0.83, 0.77, 0.74]) * (1 - 0.35 * np.clip(radius - 0.5, 0, 1))[..., None]
    spokes = np.interp(
        angle, np.linspace(-np.pi, np.pi, 97), np.r_[r := rng.uniform(0.7, 1.3, 96), r[:1]]
    )
    tone = spokes * np.interp(radius, [0, PUPIL, 0.3, IRIS], [1.0, 1.35, 1.1, 0.55])
    iris = np.array([0.33, 0.20, 0.12]) * tone[..., None]
    colour = _mix(sclera, iris, 1 - _step(radius, IRIS, LIMBUS))
    colour = _mix(colour, np.array([0.02, 0.015, 0.015]), 1 - _step(radius, PUPIL, 0.03))
    glint = np.exp(-((x + 0.16) ** 2 + (y + 0.2) ** 2) / 0.004)
    colour = _mix(colour, np.array([1.0, 1.0, 0.97]), 0.9 * glint)
    return np.dstack([colour, np.ones((n, n))]).astype(np.float32)


@lru_cache(maxsize=1)
def teeth_texture() -> np.ndarray:
    """RGBA: left half a row of teeth (x is metres along the arch), right half red flesh."""
    n = TEETH_TEXTURE
    y, x = np.mgrid[:n, :n] / n
    along = (x - 0.25) * 0.16 / TOOTH_WIDTH  # 0.08 m over the left half
    gap = np.abs(along - np.round(along))  # 0 between two teeth: the gap lies in the middle
    tooth = np.array([0.93, 0.89, 0.83]) * (0.78 + 0.22 * _step(gap, 0.05, 0.1))[..., None]
    flesh = np.array([0.32, 0.10, 0.09]) * np.ones((n, n, 1))
    colour = np.where((x < 0.5)[..., None], tooth, flesh)
    return np.dstack([colour, np.ones((n, n))]).astype(np.float32)


def _step(value: np.ndarray, edge: float, width: float) -> np.ndarray:
    t = np.clip((value - edge) / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _mix(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return a * (1 - weight[..., None]) + b * weight[..., None]


def eye_surface(head: HeadModel, camera_points: np.ndarray, params: HeadParams) -> Surface:
    """Both eyeballs; the texture turns with the ball, the lids' shadow stays with the head."""
    faces = region_faces(head, "eyeballs")
    shade = np.ones(len(head.vertices), np.float32)
    texel = np.zeros((len(head.vertices), 2), np.float32)
    balls = np.unique(faces)
    for index, joint in enumerate((3, 4)):
        centre = head.joint_positions[joint]
        ball = balls[(head.vertices[balls, 0] > 0) == (centre[0] > 0)]
        direction = head.vertices[ball] - centre
        direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        edge = np.where(
            direction[:, 2:] > 0,
            1.0,
            1 / np.maximum(np.linalg.norm(direction[:, :2], axis=1, keepdims=True), 1e-3),
        )
        texel[ball] = (direction[:, :2] * edge * (0.49, -0.49) + 0.5) * EYE_TEXTURE
        seen = direction @ matrix_from_rotvec(params.eyes[index]).T
        shade[ball] = 1 - 0.5 * np.clip(seen[:, 1] - 0.1, 0, 0.6) / 0.6
    return Surface(camera_points, faces, texel[faces], shade, eye_texture())


def mouth_surface(head: HeadModel, camera_points: np.ndarray) -> Surface:
    """Teeth, tongue and the mouth's inside, darker the deeper behind the lips."""
    teeth = region_faces(head, "teeth")
    flesh = region_faces(head, "mouth", "tongue")
    n = TEETH_TEXTURE
    texel = np.zeros((len(head.vertices), 2), np.float32)
    texel[np.unique(flesh)] = (0.75 * n, 0.5 * n)
    of_teeth = np.unique(teeth)
    texel[of_teeth, 0] = (0.25 + head.vertices[of_teeth, 0] / 0.16) * n
    texel[of_teeth, 1] = 0.5 * n
    lips = region_faces(head, "lips")
    front = head.vertices[np.unique(lips), 2].max()
    depth = front - head.vertices[:, 2]
    shade = np.clip(1.05 - depth / 0.045, 0.12, 1.0).astype(np.float32)
    shade[of_teeth] = np.clip(1.12 - depth[of_teeth] / 0.08, 0.2, 1.0)
    faces = np.concatenate([teeth, flesh])
    return Surface(camera_points, faces, texel[faces], shade, teeth_texture())
