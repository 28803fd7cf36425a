"""From a head as its file gives it to a `HeadModel`: our landmarks, sliders, joints and space.

Whatever the source, the result has the same 52 expression names, the same five joints, the same
expression code and 478 landmarks, so that everything after the tracker need not care.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..api.head import JOINTS, HeadModel
from . import landmarks as lm
from .alignment import Similarity
from .arkit_fit import arkit_expressions
from .builtin import REGIONS, builtin_head, code_table
from .builtin_shapes import EXPRESSIONS
from .closest_point import closest_points
from .drape import Draped, drape
from .head_file import check_head
from .jaw_motion import JawMotion, jaw_motion
from .raw_head import RawHead

IRIS_RADIUS = 0.0059  # metres: an iris is 11.8 mm wide in everyone
# Rims of the irises in MediaPipe's order: towards image right, up, image left, down.
IRIS_RIM = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], float)


def complete_head(raw: RawHead) -> HeadModel:
    """The finished head, checked. Raises HeadError when the file's head is no face or is broken."""
    skin = raw.skin
    draped = drape(raw.anchors, raw.vertices, raw.faces[skin])
    landmark_faces, barycentrics = _landmarks(raw, draped, skin)
    deltas = arkit_expressions(raw, landmark_faces[:468], barycentrics[:468], draped.alignment)
    jaw = jaw_motion(raw, deltas[EXPRESSIONS.index("jawOpen")], draped.alignment)
    joints = raw.joints if raw.joints is not None else _joints(raw, draped.alignment, jaw)
    weights = raw.skin_weights
    if weights is None:
        weights = _skin_weights(raw, draped.alignment, jaw)
    origin = draped.place[[lm.EAR_LEFT, lm.EAR_RIGHT]].mean(0)
    matrix, code_names = code_table(jaw.angle)
    identities = raw.identity_deltas
    head = HeadModel(
        name=raw.name,
        licence=raw.licence,
        vertices=(raw.vertices - origin).astype(np.float32),
        faces=raw.faces.astype(np.int32),
        face_uvs=raw.face_uvs.astype(np.float32),
        expression_names=EXPRESSIONS,
        expression_deltas=deltas.astype(np.float32),
        joint_positions=(joints - origin).astype(np.float32),
        skin_weights=weights.astype(np.float32),
        code_matrix=matrix,
        code_names=code_names,
        landmark_faces=landmark_faces.astype(np.int32),
        landmark_barycentrics=barycentrics.astype(np.float32),
        region_names=REGIONS,
        face_regions=np.array([REGIONS.index(name) for name in raw.regions], np.uint8),
        mirror_vertices=mirror_vertices(raw.vertices),
        identity_names=raw.identity_names,
        identity_deltas=np.zeros((0, len(raw.vertices), 3), np.float32)
        if identities is None
        else identities.astype(np.float32),
        joint_regressor=_regressor(raw, draped).astype(np.float32),
    )
    check_head(head)
    return head


def _landmarks(raw: RawHead, draped: Draped, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces [478] and barycentrics [478, 3]: the draped face, then the irises on the eyeballs."""
    balls = np.flatnonzero(raw.regions == "eyeballs")
    places = []
    for centre in raw.eye_centres[::-1]:  # MediaPipe's first iris is the subject's right
        ahead = np.array([0, 0, 1.0])
        radius = _eye_radius(raw, centre)
        depth = np.sqrt(max(radius**2 - IRIS_RADIUS**2, 0))
        places.append(centre + radius * ahead)
        places += [centre + depth * ahead + IRIS_RADIUS * np.append(rim, 0) for rim in IRIS_RIM]
    found = closest_points(np.array(places), raw.vertices, raw.faces[balls])
    faces = np.concatenate([skin[draped.face], balls[found.face]])
    return faces, np.concatenate([draped.barycentric, found.barycentric])


def _eye_radius(raw: RawHead, centre: np.ndarray) -> float:
    ball = np.unique(raw.faces[raw.regions == "eyeballs"])
    away = raw.vertices[ball] - centre
    mine = np.linalg.norm(away, axis=1) < 0.02
    return float(np.percentile(away[mine, 2], 99)) if mine.any() else 0.012


def _joints(raw: RawHead, placed: Similarity, jaw: JawMotion) -> np.ndarray:
    """Joints [5, 3]: our root and neck carried over, the jaw's hinge, the eyeballs' centres."""
    own = placed.apply(builtin_head().joint_positions.astype(float))
    neck = own[1] if raw.neck is None else raw.neck
    return np.stack([own[0], neck, jaw.hinge, *raw.eye_centres])


def _skin_weights(raw: RawHead, placed: Similarity, jaw: JawMotion) -> np.ndarray:
    """Weights [V, 5]: the torso's share as on our head at the same place, the jaw's as measured."""
    torso = _torso(raw, placed) if raw.torso is None else raw.torso
    weights = np.zeros((len(raw.vertices), len(JOINTS)))
    share = np.minimum(jaw.share, 1 - torso)
    weights[:, 0], weights[:, 1], weights[:, 2] = torso, 1 - torso - share, share
    ball = np.unique(raw.faces[raw.regions == "eyeballs"])
    gaps = np.linalg.norm(raw.vertices[ball][:, None] - raw.eye_centres[None], axis=-1)
    weights[ball] = 0
    weights[ball, 3 + gaps.argmin(1)] = 1
    return weights


def _torso(raw: RawHead, placed: Similarity) -> np.ndarray:
    """Share [V] of the torso: that of the place of our head nearest to each vertex."""
    own = builtin_head()
    outside = np.isin(own.region_names, ("skin", "scalp", "neck", "shoulders"))
    faces = own.faces[outside[own.face_regions]]
    found = closest_points(raw.vertices, placed.apply(own.vertices.astype(float)), faces)
    return np.einsum("nk,nk->n", found.barycentric, own.skin_weights[faces[found.face], 0])


def _regressor(raw: RawHead, draped: Draped) -> np.ndarray:
    """[5, V]: joints follow the vertices round them; the root never moves."""
    if raw.joint_regressor is not None:
        return raw.joint_regressor
    regressor = np.zeros((len(JOINTS), len(raw.vertices)))
    corners = raw.faces[raw.skin][draped.face]
    for landmark in (lm.EAR_LEFT, lm.EAR_RIGHT):
        for joint in (1, 2):
            np.add.at(regressor[joint], corners[landmark], draped.barycentric[landmark] / 2)
    ball = np.unique(raw.faces[raw.regions == "eyeballs"])
    left = np.linalg.norm(raw.vertices[ball][:, None] - raw.eye_centres[None], axis=-1).argmin(1)
    for side in (0, 1):
        mine = ball[left == side]
        regressor[3 + side, mine] = 1 / max(len(mine), 1)
    return regressor


def mirror_vertices(vertices: np.ndarray) -> np.ndarray:
    """For each vertex [V] int32 the one nearest to its mirror image about x = 0."""
    return cKDTree(vertices).query(vertices * (-1, 1, 1))[1].astype(np.int32)
