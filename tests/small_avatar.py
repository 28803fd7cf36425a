"""A tiny but complete baked avatar: a tetrahedron for a head, every field filled."""

from __future__ import annotations

import numpy as np

from engine.api.baked import BakedAvatar, Binding, Performance, WeightMap
from engine.api.head import JOINTS, HeadModel, HeadParams

EXPRESSIONS = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")


def small_head() -> HeadModel:
    """Four vertices, four faces, three expressions of which one moves two vertices."""
    vertices = np.float32([[0, 0.1, 0], [0.1, -0.1, 0], [-0.1, -0.1, 0], [0, 0, 0.1]])
    deltas = np.zeros((3, 4, 3), np.float32)
    deltas[0, [1, 2]] = [0, -0.0123, 0.004]
    deltas[1, 3] = [0.001, 0, 0]
    skin_weights = np.zeros((4, len(JOINTS)), np.float32)
    skin_weights[:, 1] = 1
    faces = np.int32([[0, 3, 1], [0, 2, 3], [3, 2, 1], [0, 1, 2]])
    return HeadModel(
        name="tetrahedron",
        licence="ours",
        vertices=vertices,
        faces=faces,
        face_uvs=np.float32(np.random.default_rng(1).random((4, 3, 2))),
        expression_names=EXPRESSIONS,
        expression_deltas=deltas,
        joint_positions=np.zeros((len(JOINTS), 3), np.float32),
        skin_weights=skin_weights,
        code_matrix=np.eye(3, 15, dtype=np.float32),
        code_names=EXPRESSIONS,
        landmark_faces=np.int32([0, -1, 2]),
        landmark_barycentrics=np.float32([[1, 0, 0], [0, 0, 0], [0, 0.5, 0.5]]),
        region_names=("skin", "teeth"),
        face_regions=np.uint8([0, 0, 1, 0]),
        mirror_vertices=np.int32([0, 2, 1, 3]),
        identity_deltas=np.zeros((0, 4, 3), np.float32),
    )


def small_avatar(gaussians: int = 60, blendshapes: int = 2, frames: int = 12) -> BakedAvatar:
    """An avatar before a 64 x 64 camera half a metre away. `blendshapes` may be 0."""
    random = np.random.default_rng(0)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return np.float32(random.normal(0, scale, shape))

    base = normal(gaussians, 14, scale=0.01)
    base[:, 3] = 1
    base[:, 7:10] = np.log(0.02)
    base[:, 10:] = 0.7
    layers = [(normal(5, 3), normal(5)), (normal(blendshapes, 5), normal(blendshapes))]
    params = HeadParams.neutral(3, frames)
    params.expression[:, 0] = np.linspace(0, 1, frames)
    params.translation[:] = [0, 0, -0.5]
    barycentric = random.dirichlet(np.ones(3), gaussians).astype(np.float32)
    return BakedAvatar(
        name="Anna",
        head=small_head(),
        binding=Binding(
            face=random.integers(0, 4, gaussians).astype(np.int32),
            barycentric=barycentric,
            tangent=np.tile(np.float32([1, 0]), (gaussians, 1)),
        ),
        base=base,
        deltas=normal(blendshapes, gaussians, 14, scale=0.01),
        weight_map=WeightMap(tuple(layers) if blendshapes else ()),
        levels=(gaussians, gaussians // 2),
        performance=Performance(
            params=params,
            times=np.arange(frames) / 25,
            confidence=np.ones(frames, np.float32),
            viewmat=np.diag([1.0, -1, -1, 1]),
            K=np.array([[60.0, 0, 32], [0, 60, 32], [0, 0, 1]]),
            width=64,
            height=64,
            fps=25.0,
            test_frames=np.arange(frames - 2, frames, dtype=np.int32),
        ),
        info={"method": "rgbavatar", "provenance": {"source": {"name": "anna.mp4"}}},
    )
