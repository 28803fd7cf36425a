"""The relief: hair, ears, neck and clothes of the portrait, puffed up from its matte.

Camera depth over the matte solves a Poisson equation whose rim lies in the plane of the ears and
whose inner edge lies on the fitted face mesh; a mirrored back closes it, so that a turned head
keeps its volume. It moves with the nearest points of the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    binary_fill_holes,
    gaussian_filter,
)
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ..api.head import HeadModel, HeadParams
from ..api.rotations import matrix_from_rotvec
from .camera import SIZE, WORLD_TO_CAMERA, camera_matrix, unproject
from .draw import depth_map
from .portrait import Portrait

STEP = 4  # pixels between relief vertices
HAIR_BULGE, CLOTHES_BULGE = 45.0, 4.0  # 1/metre: curvature of the puffed sheet
HAIR_THICKNESS = 0.010  # metres in front of the scalp
EXPRESSION_REACH = 0.014  # metres: how far the face drags hair and neck along
BACK_DEPTH, BACK_SHADE = 0.8, 0.75
HAIR_LINE = 290  # pixels: above it the relief is hair and has a back


@dataclass(frozen=True)
class Relief:
    """R vertices in neutral head space; `triangles` [T, 3] show the photo at `texels` [R, 2]."""

    rest: np.ndarray  # [R, 3]
    deltas: np.ndarray  # [E, R, 3] expression displacements
    weights: np.ndarray  # [R, J]
    triangles: np.ndarray
    texels: np.ndarray
    shade: np.ndarray  # [R] brightness


def raise_relief(
    head: HeadModel, photo: HeadParams, world: np.ndarray, face: np.ndarray, portrait: Portrait
) -> Relief:
    """The relief around `head`, posed as in the photo with its vertices
    at `world` [V, 3]; `face` [n, 3] are the face's triangles."""
    nodes = np.arange(STEP // 2, SIZE, STEP)
    alpha = portrait.texture[..., 3][np.ix_(nodes, nodes)]
    clothes = portrait.clothes[np.ix_(nodes, nodes)]
    inside = binary_dilation(alpha > 0.05, iterations=1)
    camera = world @ WORLD_TO_CAMERA
    K = camera_matrix(1 / STEP)
    on_face = depth_map(camera, face, K, len(nodes), len(nodes))
    on_head = depth_map(camera, head.faces, K, len(nodes), len(nodes))
    # Eyes and mouth are holes in the face mesh; the relief must not show through them.
    fixed = binary_erosion(binary_fill_holes(on_face > 0), iterations=2) & inside & ~clothes
    ears = -(matrix_from_rotvec(photo.rotation) @ [0, 0, -0.005] + photo.translation)[2]
    depth = _puff(inside, fixed, on_face, clothes, ears)
    over = (on_head > 0) & ~fixed & ~clothes & inside & ~(binary_dilation(fixed, iterations=3))
    depth[over] = np.minimum(depth[over], on_head[over] - HAIR_THICKNESS)
    smooth = gaussian_filter(depth, 1.2)
    depth = np.where(fixed | ~inside, depth, smooth)
    return _bind(head, photo, nodes, inside, fixed, clothes, depth, ears)


def _puff(
    inside: np.ndarray, fixed: np.ndarray, known: np.ndarray, clothes: np.ndarray, rim: float
) -> np.ndarray:
    """Camera depth [n, n]: Laplacian = bulge, depth `rim` outside, `known` where fixed."""
    number = np.full(inside.shape, -1)
    free = inside & ~fixed
    number[free] = np.arange(free.sum())
    outside_depth = np.where(fixed, known, rim)
    spacing = STEP * rim / camera_matrix()[0, 0]
    bulge = np.where(clothes, CLOTHES_BULGE, HAIR_BULGE) * spacing**2
    rows, columns, values = [number[free]], [number[free]], [np.full(free.sum(), 4.0)]
    right = -bulge[free]
    padded_number = np.pad(number, 1, mode="edge")
    padded_depth = np.pad(outside_depth, 1, mode="edge")
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        n = len(number)
        neighbour = padded_number[dy : dy + n, dx : dx + n][free]
        linked = neighbour >= 0
        rows.append(number[free][linked])
        columns.append(neighbour[linked])
        values.append(np.full(linked.sum(), -1.0))
        right = right + np.where(linked, 0, padded_depth[dy : dy + n, dx : dx + n][free])
    matrix = coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))))
    depth = np.where(fixed, known, rim).astype(float)
    depth[free] = spsolve(matrix.tocsc(), right)
    return depth


def _bind(
    head: HeadModel, photo: HeadParams, nodes: np.ndarray, inside: np.ndarray, fixed: np.ndarray,
    clothes: np.ndarray, depth: np.ndarray, rim: float,
) -> Relief:  # fmt: skip
    """Vertices, triangles and motion of the sheet and of its mirrored back."""
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    quads = np.stack(
        [number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]], -1
    ).reshape(-1, 4)
    hidden = fixed[:-1, :-1] & fixed[:-1, 1:] & fixed[1:, 1:] & fixed[1:, :-1]
    quads = quads[(quads >= 0).all(1) & ~hidden.ravel()]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    y, x = np.nonzero(inside)
    texels = np.stack([nodes[x], nodes[y]], -1) + 0.5
    front = unproject(texels, depth[inside])
    back = unproject(texels, rim + BACK_DEPTH * np.maximum(rim - depth[inside], 0))
    worn = gaussian_filter(clothes.astype(float), 1.5)[inside]
    hair = texels[:, 1] < HAIR_LINE
    head_quads = quads[((worn < 0.02) & hair)[quads].all(1)] + len(front)
    behind = np.concatenate([head_quads[:, [0, 2, 1]], head_quads[:, [0, 3, 2]]])
    rest = (np.concatenate([front, back]) - photo.translation) @ matrix_from_rotvec(photo.rotation)
    deltas, neck = _follow(head, photo, rest, np.concatenate([worn, worn]))
    rest = rest - np.tensordot(photo.expression, deltas, axes=1)
    weights = np.zeros((len(rest), 5), np.float32)
    weights[:, 1], weights[:, 0] = neck, 1 - neck
    shade = np.r_[np.ones(len(front)), np.full(len(back), BACK_SHADE)].astype(np.float32)
    return Relief(
        rest.astype(np.float32), deltas, weights, np.concatenate([triangles, behind]),
        np.concatenate([texels, texels]).astype(np.float32), shade,
    )  # fmt: skip


def _follow(
    head: HeadModel, photo: HeadParams, rest: np.ndarray, worn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expression deltas [E, R, 3] and neck weights [R] of relief points, from the nearest skin."""
    inner = ("mouth", "teeth", "eyeballs", "tongue")
    skin_faces = ~np.isin([head.region_names[r] for r in head.face_regions], inner)
    outer = np.unique(head.faces[skin_faces])
    shaped = head.vertices + np.tensordot(photo.expression, head.expression_deltas, axes=1)
    distance, nearest = cKDTree(shaped[outer]).query(rest, k=6)
    nearest = outer[nearest]
    weight = 1 / np.maximum(distance, 1e-4) ** 2
    weight /= weight.sum(1, keepdims=True)
    drag = np.exp(-0.5 * (distance[:, 0] / EXPRESSION_REACH) ** 2) * (1 - worn)
    deltas = np.einsum("rk,erkc->erc", weight, head.expression_deltas[:, nearest])
    # Whatever is not the torso turns with the neck: jaw and eye joints are parts of the head.
    neck = np.einsum("rk,rk->r", weight, 1 - head.skin_weights[nearest, 0]) * (1 - worn)
    return (deltas * drag[:, None]).astype(np.float32), neck
