"""The built-in head: a complete, symmetric, animatable head that needs no file from anyone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..api.head import JOINTS, HeadModel
from . import landmarks as lm
from .builtin_identity import identity_deltas
from .builtin_inside import EYE_COLUMNS, IRIS_RING
from .builtin_proportions import EYE_CENTRE, JAW_HINGE, NECK_JOINT, NECK_RINGS, SWEEP_RINGS
from .builtin_shapes import EXPRESSIONS, JAW_OPEN_ANGLE, expression_deltas
from .builtin_surface import build_surface
from .surface import Surface

REGIONS = (
    "skin", "lips", "eyelids", "mouth", "teeth", "tongue", "eyeballs", "scalp", "ears", "neck",
    "shoulders",
)  # fmt: skip
GAZE_UNIT = np.deg2rad(30.0)  # one unit of gaze in the expression code


@lru_cache(maxsize=1)
def builtin_head() -> HeadModel:
    """The built-in head, metres. Deterministic; the same object on every call: do not change it."""
    surface = build_surface()
    points, faces, face_uvs = surface.arrays()
    mirror = mirror_vertices(surface)
    points = (points + points[mirror] * (-1, 1, 1)) / 2
    deltas, jaw = expression_deltas(surface, mirror)
    identity_names, identities = identity_deltas(surface, mirror)
    matrix, code_names = code_table()
    landmark_faces, landmark_barycentrics = landmark_embedding(surface, faces)
    return HeadModel(
        name="Built-in",
        licence="GPL-3.0-or-later",
        vertices=_metres(points),
        faces=faces.astype(np.int32),
        face_uvs=face_uvs.astype(np.float32),
        expression_names=EXPRESSIONS,
        expression_deltas=_metres(deltas),
        joint_positions=_metres(joints()),
        skin_weights=skin_weights(surface, jaw).astype(np.float32),
        code_matrix=matrix,
        code_names=code_names,
        landmark_faces=landmark_faces,
        landmark_barycentrics=landmark_barycentrics,
        region_names=REGIONS,
        face_regions=np.array([REGIONS.index(name) for name in surface.regions], np.uint8),
        mirror_vertices=mirror.astype(np.int32),
        identity_names=identity_names,
        identity_deltas=_metres(identities),
        joint_regressor=joint_regressor(surface).astype(np.float32),
    )


def _metres(millimetres: np.ndarray) -> np.ndarray:
    return (millimetres / 1000).astype(np.float32)


def joints() -> np.ndarray:
    """Joint positions [5, 3] mm."""
    left = EYE_CENTRE
    return np.stack([np.zeros(3), NECK_JOINT, JAW_HINGE, left, left * (-1, 1, 1)])


def mirror_vertices(surface: Surface) -> np.ndarray:
    """For each point the index of its mirror image [V]: the nearest mirrored point of its part."""
    points = np.concatenate(surface.points)
    mirror = np.zeros(surface.count, np.int64)
    for name, index in surface.parts.items():
        swap = {"left": "right", "right": "left"}
        other = surface.parts["_".join(swap.get(word, word) for word in name.split("_"))]
        gap = points[index][:, None] * (-1, 1, 1) - points[other][None]
        mirror[index] = other[np.linalg.norm(gap, axis=-1).argmin(1)]
    return mirror


def skin_weights(surface: Surface, jaw: np.ndarray) -> np.ndarray:
    """Weights [V, 5]: the head follows the neck, fading to the torso down the neck's rings."""
    head = np.ones(surface.count)
    for name, index in surface.parts.items():
        if name.startswith(("neck", "shoulders")):
            kind, ring = name.split("_")
            depth = (int(ring) + (NECK_RINGS if kind == "shoulders" else 0)) / (NECK_RINGS + 2)
            t = np.clip(1 - depth, 0, 1)
            head[index] = t * t * (3 - 2 * t)
    weights = np.zeros((surface.count, len(JOINTS)))
    share = np.minimum(jaw, head)
    weights[:, 0], weights[:, 1], weights[:, 2] = 1 - head, head - share, share
    for joint, side in ((3, "left"), (4, "right")):
        index = part_points(surface, f"eye_{side}")
        weights[index] = 0
        weights[index, joint] = 1
    return weights


def part_points(surface: Surface, prefix: str) -> np.ndarray:
    """Indices of all points whose part's name begins with `prefix`."""
    return np.concatenate([i for name, i in surface.parts.items() if name.startswith(prefix)])


def joint_regressor(surface: Surface) -> np.ndarray:
    """[5, V]: how joints move when identity moves the vertices (the root never does)."""
    regressor = np.zeros((len(JOINTS), surface.count))
    nape = surface.parts[f"cranium_{SWEEP_RINGS}"]
    regressor[1, [lm.EAR_LEFT, lm.EAR_RIGHT, nape[len(nape) // 2]]] = 1 / 3
    regressor[2, [lm.EAR_LEFT, lm.EAR_RIGHT]] = 1 / 2
    for joint, side in ((3, "left"), (4, "right")):
        index = part_points(surface, f"eye_{side}")
        regressor[joint, index] = 1 / len(index)
    return regressor


def code_table(jaw_angle: float = JAW_OPEN_ANGLE) -> tuple[np.ndarray, tuple[str, ...]]:
    """code_matrix [51, E + 12] and code_names, as docs/ARCHITECTURE.md describes the driver.

    `jaw_angle`: radians by which jawOpen = 1 turns the jaw.
    """
    kept = [name for name in EXPRESSIONS if not name.startswith("eyeLook")]
    gaze = ("eyePitchLeft", "eyeYawLeft", "eyePitchRight", "eyeYawRight")
    neck = ("neckPitch", "neckYaw", "neckRoll")
    count = len(EXPRESSIONS)
    matrix = np.zeros((len(kept) + len(gaze) + len(neck), count + 12), np.float32)
    for row, name in enumerate(kept):
        matrix[row, EXPRESSIONS.index(name)] = 1
    matrix[kept.index("jawOpen"), count] = 1 / jaw_angle
    for row, column in enumerate((3, 4, 6, 7, 9, 10, 11)):
        matrix[len(kept) + row, count + column] = 1 / GAZE_UNIT
    return matrix, (*kept, *gaze, *neck)


def landmark_embedding(surface: Surface, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces [478] and barycentrics [478, 3] of the MediaPipe landmarks; each is a vertex.

    468 is the centre of the iris on the image's left (the subject's right), 469..472 its rim:
    towards image right, up, image left, down; 473..477 likewise for the other eye.
    """
    vertices = list(range(468))
    for side, quarters in (("right", (8, 4, 0, 12)), ("left", (0, 4, 8, 12))):
        rim = surface.parts[f"eye_{side}_{IRIS_RING}"]
        vertices.append(int(surface.parts[f"eye_{side}_0"][0]))
        vertices += [int(rim[quarter * EYE_COLUMNS // 16]) for quarter in quarters]
    chosen, barycentrics = np.zeros(478, np.int32), np.zeros((478, 3), np.float32)
    for landmark, vertex in enumerate(vertices):
        face, corner = np.argwhere(faces == vertex)[0]
        chosen[landmark] = face
        barycentrics[landmark, corner] = 1
    return chosen, barycentrics
