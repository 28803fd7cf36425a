"""A contact sheet of a head: neutral from six sides, then each expression at full strength.

For people and reviewers to look at; drawn with the mesh rasteriser, shaded by normals.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..api.errors import HeadError
from ..api.head import HeadModel, HeadParams
from ..api.rotations import matrix_from_rotvec
from ..imaging import write_png
from ..mesh import raster_mesh, vertex_normals

# Colours by region; what is not named is skin.
COLOURS = {
    "skin": (226, 188, 165), "lips": (196, 118, 112), "eyelids": (218, 174, 152),
    "mouth": (120, 52, 52), "teeth": (240, 236, 224), "tongue": (205, 110, 110),
    "eyeballs": (240, 240, 240), "scalp": (150, 122, 104), "ears": (222, 178, 156),
    "neck": (220, 182, 160), "shoulders": (120, 134, 150),
}  # fmt: skip
VIEWS = {"front": (0, 0), "three quarters": (0, 40), "side": (0, 90), "back": (0, 180),
         "below": (-35, 20), "above": (30, -25)}  # fmt: skip
LIGHT = np.array([-0.35, 0.45, 0.82]) / np.linalg.norm([-0.35, 0.45, 0.82])
COLUMNS = 8


def head_sheet(head: HeadModel, path: str | Path, tile: int = 300) -> None:
    """Write the sheet as one PNG. Raises HeadError when the file cannot be written."""
    count = len(head.expression_names)
    tiles = []
    for name, (pitch, yaw) in VIEWS.items():
        picture = shaded(head, head.vertices, tile, pitch, yaw, centre=(0, -0.07), span=0.56)
        tiles.append(labelled(picture, name))
    for index, name in enumerate(head.expression_names):
        params = HeadParams.neutral(count)
        params.expression[index] = 1
        set_gaze(params, name)
        yaw = 25 if name.startswith("jawForward") else 0
        tiles.append(labelled(shaded(head, head.pose(params), tile, 0, yaw), name))
    while len(tiles) % COLUMNS:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    try:
        write_png(path, np.vstack(rows))
    except OSError as error:
        raise HeadError(
            f"The contact sheet cannot be written to {path}: {error.strerror}.",
            "Choose a folder that exists and that you may write to.",
        ) from error


def set_gaze(params: HeadParams, name: str) -> None:
    """Turn the eyes as tracking does with an eyeLook expression: 30 degrees at coefficient 1."""
    unit = np.deg2rad(30)
    for side, outwards in ((0, 1.0), (1, -1.0)):
        if not name.startswith("eyeLook") or not name.endswith(("Left", "Right")[side]):
            continue
        params.eyes[side, 0] += unit * ("Down" in name) - unit * ("Up" in name)
        params.eyes[side, 1] += outwards * unit * (("Out" in name) - ("In" in name) * 1.0)


def shaded(
    head: HeadModel,
    vertices: np.ndarray,
    size: int,
    pitch: float = 0.0,
    yaw: float = 0.0,
    *,
    centre: tuple[float, float] = (0.0, -0.018),
    span: float = 0.19,
) -> np.ndarray:
    """RGB uint8 [size, size, 3] of posed vertices [V, 3], seen from pitch and yaw in degrees."""
    turn = matrix_from_rotvec(np.deg2rad([pitch, 0.0, 0.0])) @ matrix_from_rotvec(
        np.deg2rad([0.0, -yaw, 0.0])
    )
    turned = vertices @ turn.T
    distance = 1.2
    depth = distance - turned[:, 2]
    scale = size / span * distance / depth
    projected = np.stack(
        [
            size / 2 + (turned[:, 0] - centre[0]) * scale,
            size / 2 - (turned[:, 1] - centre[1]) * scale,
            depth,
        ],
        1,
    )
    _, face, weights = raster_mesh(projected, head.faces, size, size)
    normals = vertex_normals(turned, head.faces)
    seen = face >= 0
    normal = (normals[head.faces[face[seen]]] * weights[seen][..., None]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    light = 0.35 + 0.7 * np.clip(np.abs(normal @ LIGHT), 0, 1)
    picture = np.full((size, size, 3), 247.0)
    picture[seen] = _palette(head)[face[seen]] * light[:, None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def _palette(head: HeadModel) -> np.ndarray:
    """Colours [F, 3] of the faces; irises and pupils are the faces round the iris landmarks."""
    colours = np.array([COLOURS.get(name, COLOURS["skin"]) for name in head.region_names], float)
    palette = colours[head.face_regions]
    if "eyeballs" not in head.region_names:
        return palette
    balls = np.flatnonzero(head.face_regions == head.region_names.index("eyeballs"))
    middles = head.vertices[head.faces[balls]].mean(1)
    for pupil in (468, 473):
        if head.landmark_faces[pupil] < 0:
            continue
        corners = head.vertices[head.faces[head.landmark_faces[pupil]]]
        distance = np.linalg.norm(middles - head.landmark_barycentrics[pupil] @ corners, axis=1)
        palette[balls[distance < 0.0056]] = (92, 112, 128)
        palette[balls[distance < 0.0024]] = (20, 20, 22)
    return palette


def labelled(
    picture: np.ndarray, name: str, ink: tuple[int, int, int] = (20, 20, 20)
) -> np.ndarray:
    """The picture with a name in its corner."""
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((6, picture.shape[0] - 22), name, fill=ink, font_size=15)
    return np.asarray(image)
