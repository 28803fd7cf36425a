"""A small stand-in head and clip with known truth: a painted ellipsoid that turns and 'speaks'.

The truth is not made by the fit's own model: pixels are ray-traced.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.api.head import HeadModel, HeadParams
from engine.api.rotations import matrix_from_rotvec
from engine.clip import Camera, TrackedFrame

RADII = np.array([0.08, 0.11, 0.09])
NAMES = ("jawOpen", "browInnerUp", "eyeBlinkLeft")


def ellipsoid_head(rings: int = 24, sectors: int = 32) -> HeadModel:
    """An ellipsoid, u round it and v up it, with three local bumps as expressions."""
    v, u = np.meshgrid(np.linspace(0, 1, rings + 1), np.linspace(0, 1, sectors + 1), indexing="ij")
    # Short of the poles, where triangles would have no area.
    polar, azimuth = 0.97 * np.pi * (v - 0.5), 2 * np.pi * (u - 0.5)
    unit = np.stack(
        [np.cos(polar) * np.sin(azimuth), np.sin(polar), np.cos(polar) * np.cos(azimuth)], -1
    )
    vertices = (unit * RADII).reshape(-1, 3).astype(np.float32)
    index = np.arange((rings + 1) * (sectors + 1)).reshape(rings + 1, sectors + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    uvs = np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)
    centres = np.array([[0, -0.05, 0.085], [0, 0.06, 0.07], [0.03, 0.02, 0.085]])
    deltas = np.zeros((3, len(vertices), 3), np.float32)
    for one, centre in enumerate(centres):
        near = np.exp(-np.sum((vertices - centre) ** 2, -1) / (2 * 0.02**2))
        deltas[one, :, 1] = near * (-0.012 if one == 0 else 0.008)
    weights = np.zeros((len(vertices), 5), np.float32)
    weights[:, 1] = 1
    code = np.zeros((3, 15), np.float32)
    code[np.arange(3), np.arange(3)] = 1
    return HeadModel(
        name="ellipsoid",
        licence="test",
        vertices=vertices,
        faces=faces.astype(np.int32),
        face_uvs=uvs[faces],
        expression_names=NAMES,
        expression_deltas=deltas,
        joint_positions=np.zeros((5, 3), np.float32),
        skin_weights=weights,
        code_matrix=code,
        code_names=NAMES,
        landmark_faces=np.full(478, -1, np.int32),
        landmark_barycentrics=np.zeros((478, 3), np.float32),
        region_names=("skin",),
        face_regions=np.zeros(len(faces), np.uint8),
        mirror_vertices=np.arange(len(vertices), dtype=np.int32),
    )


@dataclass
class EllipsoidClip:
    """What the fit reads of a TrackedClip, T frames of `size` pixels. Opening the jaw darkens the
    lower face, which the mesh alone cannot show: only a blendshape can."""

    frames: int = 24
    size: int = 64
    head: HeadModel = field(default_factory=ellipsoid_head)
    fps: float = 25.0

    def __post_init__(self) -> None:
        time = np.arange(self.frames) / self.fps
        params = HeadParams.neutral(3, self.frames)
        params.expression[:, 0] = 0.5 - 0.5 * np.cos(9 * time)
        params.expression[:, 1] = 0.5 - 0.5 * np.cos(5 * time)
        params.neck[:, 1] = 0.35 * np.sin(4 * time)
        params.translation[:, 2] = -0.6
        self.params, self.times = params, time
        self.confidence = np.ones(self.frames, np.float32)
        K = np.array([[2.2, 0, 0.5], [0, 2.2, 0.5], [0, 0, 1 / self.size]]) * self.size
        viewmat = np.diag([1.0, -1, -1, 1]).astype(np.float32)
        self.camera = Camera(viewmat, K.astype(np.float32), self.size, self.size)

    def __len__(self) -> int:
        return self.frames

    def frame(self, index: int) -> TrackedFrame:
        image, alpha = self._trace(self.params[index])
        return TrackedFrame(image, alpha, self.camera, self.params[index])

    def _trace(self, params: HeadParams) -> tuple[np.ndarray, np.ndarray]:
        pixel = (np.arange(self.size) + 0.5 - self.size / 2) / (2.2 * self.size)
        ray = np.stack([*np.meshgrid(pixel, -pixel), -np.ones((self.size, self.size))], -1)
        turn = matrix_from_rotvec(params.neck.astype(np.float64))
        direction = (ray @ turn) / RADII
        origin = (-params.translation.astype(np.float64) @ turn) / RADII
        a, b = (direction**2).sum(-1), direction @ origin
        root = b * b - a * (origin @ origin - 1)
        hit = root > 0
        point = origin + ((-b - np.sqrt(np.maximum(root, 0))) / a)[..., None] * direction
        x, y, z = np.moveaxis(point, -1, 0)
        colour = np.stack(
            [
                0.6 + 0.3 * np.sin(9 * x),
                0.5 + 0.3 * np.sin(7 * y),
                0.5 + 0.2 * np.sin(8 * z + 6 * x),
            ],
            -1,
        )
        dark = 0.6 * params.expression[0] * np.exp(-((y + 0.5) ** 2 + x**2) / 0.1) * (z > 0)
        colour = colour * (1 - dark[..., None]) * hit[..., None]
        return (colour * 255).round().astype(np.uint8), (hit * 255).astype(np.uint8)
