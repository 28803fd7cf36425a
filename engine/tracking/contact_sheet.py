"""A contact sheet of a tracked clip: its matte, and the proxy head drawn over it.

Frames spread over the clip, then those that fit worst in red frames: one look tells whether the
tracking can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..api.head import HeadModel
from ..clip import TrackedClip
from ..heads.sheet import labelled
from ..imaging import draw_lines, resize, write_png
from .pose import project

SPREAD, COLUMNS, TILE = 11, 4, 240
BACKDROP = np.array([58, 122, 86], np.float32)  # shows halos of light and dark hair alike
WIRE, POINT, WORST = (255, 214, 70), (60, 220, 255), (230, 40, 40)
BORDER, WHITE = 5, (255, 255, 255)


def write_contact_sheet(clip: TrackedClip, path: Path, worst: Sequence[int]) -> None:
    """Write the sheet as one PNG; `worst` are frames to mark. Raises OSError, TrackingError."""
    spread = np.linspace(0, len(clip) - 1, min(SPREAD, len(clip))).round().astype(int)
    chosen = [(int(i), False) for i in dict.fromkeys(spread)] + [(i, True) for i in worst]
    edges = mesh_edges(clip.head)
    tiles = [_pair(clip, edges, index, marked) for index, marked in chosen]
    while len(tiles) % COLUMNS and len(tiles) > COLUMNS:
        tiles.append(np.full_like(tiles[0], 32))
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    write_png(path, np.vstack(rows))


def mesh_edges(head: HeadModel) -> np.ndarray:
    """Edges of the mesh with the face on either side [N, 4]: vertex, vertex, face, face."""
    corners = head.faces
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    owner = np.tile(np.arange(len(corners)), 3)
    _, first, number = np.unique(np.sort(pairs, 1), axis=0, return_index=True, return_inverse=True)
    other = np.zeros(len(first), int)
    other[number.ravel()] = owner  # the last one to share the edge
    return np.column_stack([pairs[first], owner[first], other])


def _pair(clip: TrackedClip, edges: np.ndarray, index: int, marked: bool) -> np.ndarray:
    """Two tiles side by side: the matted frame, and the same under the mesh and landmarks."""
    frame = clip.frame(index)
    alpha = frame.alpha[..., None].astype(np.float32) / 255
    matted = frame.image * alpha + BACKDROP * (1 - alpha)
    small = resize(matted.round().astype(np.uint8), TILE, TILE)
    drawn = small.copy()
    scale = TILE / clip.camera.width
    vertices = _camera_points(clip, index)
    draw_lines(drawn, project(vertices, clip.camera.K) * scale, _front(clip.head, vertices, edges),
               WIRE)  # fmt: skip
    drawn = (0.45 * drawn + 0.55 * small).round().astype(np.uint8)
    _dot(drawn, clip.landmarks[index] * scale)
    lost = "" if clip.confidence[index] > 0 else "  lost"
    small[-24:] = 24  # a strip for the label
    pair = np.hstack([labelled(small, f"{index}  {clip.times[index]:.2f} s{lost}", WHITE), drawn])
    if marked:
        pair[:BORDER], pair[-BORDER:], pair[:, :BORDER], pair[:, -BORDER:] = (WORST,) * 4
    return pair


def _camera_points(clip: TrackedClip, index: int) -> np.ndarray:
    """The head's vertices [V, 3] in camera space."""
    world = clip.head.pose(clip.params[index]).astype(np.float64)
    viewmat = clip.camera.viewmat
    return world @ viewmat[:3, :3].T + viewmat[:3, 3]


def _front(head: HeadModel, vertices: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The edges [M, 2] of which both faces look at the camera."""
    a, b, c = np.moveaxis(vertices[head.faces], 1, 0)
    facing = (np.cross(b - a, c - a) * a).sum(-1) < 0
    return edges[facing[edges[:, 2]] & facing[edges[:, 3]], :2]


def _dot(image: np.ndarray, points: np.ndarray) -> None:
    """Mark points [N, 2] that lie in the image, in place."""
    good = np.isfinite(points[:, 0])
    x, y = points[good].astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    image[y[inside], x[inside]] = POINT
