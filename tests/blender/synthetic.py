"""A small head and avatar with known numbers: nothing about them is symmetric, smooth or easy.

A ball with random expressions, random skinning and random Gaussians: what holds for it holds for
any avatar. NumPy only.
"""

from __future__ import annotations

import numpy as np
from likeness.engine.api.baked import BakedAvatar, Binding, Performance, WeightMap
from likeness.engine.api.head import JOINTS, HeadModel, HeadParams

NAMES = (
    "browInnerUp",
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "jawOpen",
    "mouthSmileLeft",
    "mouthSmileRight",
)
RINGS, SIDES = 12, 18
SKIN = (0.8, 0.58, 0.47)


def make_head(rng: np.random.Generator) -> HeadModel:
    """A ball of 10 cm radius, triangles counter-clockwise seen from outside."""
    height = np.cos(np.linspace(0.02, np.pi - 0.02, RINGS))
    turn = np.arange(SIDES) * 2 * np.pi / SIDES
    ring = np.sqrt(1 - height**2)
    vertices = 0.1 * np.stack(
        [
            np.outer(ring, np.sin(turn)),
            np.repeat(height[:, None], SIDES, 1),
            np.outer(ring, np.cos(turn)),
        ],
        -1,
    ).reshape(-1, 3)
    row, side = np.meshgrid(np.arange(RINGS - 1), np.arange(SIDES), indexing="ij")
    a = (row * SIDES + side).ravel()
    b = (row * SIDES + (side + 1) % SIDES).ravel()
    faces = np.concatenate([np.stack([a, a + SIDES, b], 1), np.stack([b, a + SIDES, b + SIDES], 1)])
    uvs = rng.uniform(0, 1, (len(faces), 3, 2))
    weights = rng.dirichlet(np.ones(len(JOINTS)), len(vertices)).round(2)
    np.put_along_axis(
        weights,
        weights.argmax(1)[:, None],
        (weights.max(1) + 1 - weights.sum(1))[:, None],
        axis=1,
    )
    count = len(NAMES)
    return HeadModel(
        name="ball",
        licence="CC0-1.0",
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        face_uvs=uvs.astype(np.float32),
        expression_names=NAMES,
        expression_deltas=_halves(rng.normal(0, 0.003, (count, len(vertices), 3))),
        joint_positions=np.array(
            [
                [0, -0.15, 0],
                [0, -0.1, -0.02],
                [0, -0.02, 0.03],
                [0.03, 0.03, 0.07],
                [-0.03, 0.03, 0.07],
            ],
            np.float32,
        ),
        skin_weights=weights.astype(np.float32),
        code_matrix=rng.normal(0, 1, (8, count + 12)).astype(np.float32),
        code_names=tuple(f"code{i}" for i in range(8)),
        landmark_faces=np.full(478, -1, np.int32),
        landmark_barycentrics=np.zeros((478, 3), np.float32),
        region_names=("skin",),
        face_regions=np.zeros(len(faces), np.uint8),
        mirror_vertices=np.arange(len(vertices), dtype=np.int32),
    )


def make_params(rng: np.random.Generator, *leading: int) -> HeadParams:
    """Random poses within what a face does."""
    return HeadParams(
        expression=rng.uniform(0, 1, (*leading, len(NAMES))).astype(np.float32),
        neck=rng.normal(0, 0.3, (*leading, 3)).astype(np.float32),
        jaw=rng.normal(0, 0.2, (*leading, 3)).astype(np.float32),
        eyes=rng.normal(0, 0.3, (*leading, 2, 3)).astype(np.float32),
        rotation=rng.normal(0, 0.3, (*leading, 3)).astype(np.float32),
        translation=(np.array([0.02, 0.01, -0.7]) + rng.normal(0, 0.02, (*leading, 3))).astype(
            np.float32
        ),
    )


def make_avatar(
    seed: int = 0, gaussians: int = 2000, blendshapes: int = 3, frames: int = 12
) -> BakedAvatar:
    """An opaque skin-coloured avatar on the ball."""
    rng = np.random.default_rng(seed)
    head = make_head(rng)
    face = rng.integers(0, len(head.faces), gaussians).astype(np.int32)
    per_face = rng.normal(0, 1, (len(head.faces), 2)) + [1.5, 0]
    base = np.concatenate(
        [
            rng.normal(0, 0.001, (gaussians, 3)),
            rng.normal(0, 1, (gaussians, 4)),
            rng.normal(-5.3, 0.2, (gaussians, 3)),
            rng.normal(2, 0.5, (gaussians, 1)),
            np.tile(SKIN, (gaussians, 1)),
        ],
        axis=1,
    ).astype(np.float32)
    deltas = rng.normal(0, 0.1, (blendshapes, gaussians, 14))
    deltas[..., :3] *= 0.01
    levels = (gaussians, gaussians // 2, gaussians // 4)
    return BakedAvatar(
        name="Ball",
        head=head,
        binding=Binding(
            face=face,
            barycentric=rng.dirichlet(np.ones(3), gaussians).astype(np.float32),
            tangent=per_face[face].astype(np.float32),
        ),
        base=base,
        deltas=_halves(deltas),
        weight_map=_weight_map(rng, blendshapes),
        levels=levels,
        performance=make_performance(rng, frames),
        info={"method": "rgbavatar"},
        level_offsets=tuple(_halves(rng.normal(0, 0.01, (count, 14))) for count in levels[1:]),
    )


def make_performance(rng: np.random.Generator, frames: int) -> Performance:
    return Performance(
        params=make_params(rng, frames),
        times=np.arange(frames) / 25.0,
        confidence=np.ones(frames, np.float32),
        viewmat=np.diag([1.0, -1.0, -1.0, 1.0]),
        K=np.array([[700.0, 0, 130], [0, 700.0, 125], [0, 0, 1]]),
        width=256,
        height=256,
        fps=25.0,
    )


def _weight_map(rng: np.random.Generator, blendshapes: int) -> WeightMap:
    sizes = (8, 6, blendshapes)
    return WeightMap(
        tuple(
            (
                rng.normal(0, 0.4, (n, m)).astype(np.float32),
                rng.normal(0, 0.1, n).astype(np.float32),
            )
            for m, n in zip(sizes, sizes[1:], strict=False)
        )
    )


def _halves(values: np.ndarray) -> np.ndarray:
    """Rounded to float16, as files store them, so that a round trip is exact."""
    return values.astype(np.float16).astype(np.float32)
