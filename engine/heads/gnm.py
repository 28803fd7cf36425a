"""GNM Head v3 (Google, 2026, Apache-2.0): gnm_head.npz, read with our own code.

Its expressions are components without names for people, and the jaw is in them: the ARKit shapes
are fitted in their space (arkit_fit.py). Metres, y up, z to the front.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..api.errors import HeadError
from ..api.head import HeadModel
from .array_archive import read_arrays
from .complete_head import complete_head
from .face_anchors import face_anchors
from .landmarks import IBUG_TO_MEDIAPIPE
from .mesh_parts import Assembled, Piece, assemble
from .raw_head import RawHead

VERTICES, JOINT_COUNT, IDENTITIES, EXPRESSIONS = 17821, 4, 253, 383
SHAPES_OF_KEYS: dict[str, tuple[int, ...]] = {
    "template_vertex_positions": (VERTICES, 3),
    "template_joint_positions": (JOINT_COUNT, 3),
    "vertex_identity_basis": (IDENTITIES, VERTICES, 3),
    "expression_basis": (EXPRESSIONS, VERTICES, 3),
    "skinning_weights": (JOINT_COUNT, VERTICES),
    "triangles": (-1, 3),
    "triangle_uvs": (-1, 3, 2),
    "vertex_groups": (-1, VERTICES),
}
NAMES = (
    "version", "variant", "identity_names", "expression_names", "joint_names",
    "vertex_group_names",
)  # fmt: skip
# Our region and island for each of its vertex groups; the first that fits a face decides.
PARTS = (
    ("upper_teeth_and_gums", "teeth", "teeth_upper"),
    ("lower_teeth_and_gums", "teeth", "teeth_lower"),
    ("tongue", "tongue", "tongue"),
    ("mouth_sock", "mouth", "mouth"),
    ("skin", "skin", "skin"),
)
EYE_GROUPS = ("left_eye", "right_eye")
SHARES = {
    "skin": 0.54, "shoulders": 0.13, "teeth_upper": 0.06, "teeth_lower": 0.06, "mouth": 0.07,
    "tongue": 0.04, "eye_left": 0.05, "eye_right": 0.05,
}  # fmt: skip
LANDMARK_FILE = "head_sparse_68.txt"
HINT = "Use the unchanged gnm_head.npz of huggingface.co/google/gnm-v3."


def read_gnm(path: str | Path) -> HeadModel:
    """The head of a gnm_head.npz. Raises HeadError when anything in it does not add up."""
    path = Path(path)
    arrays = _arrays(path)
    groups = _groups(arrays, path.name)
    vertices = arrays["template_vertex_positions"].astype(np.float64)
    faces = arrays["triangles"].astype(np.int64)
    centres = arrays["template_joint_positions"][2:4].astype(np.float64)
    if centres[0, 0] < centres[1, 0]:
        raise HeadError(f"{path.name} has its eyes the wrong way round.", HINT)
    eyes = np.isin(faces, np.flatnonzero(groups["left_eye"] | groups["right_eye"])).all(1)
    pieces = _pieces(faces, arrays["triangle_uvs"].astype(np.float64), groups, eyes)
    skin = next(piece.faces for piece in pieces if piece.island == "skin")
    anchors = _sparse_landmarks(path, vertices) or face_anchors(
        vertices, skin, faces[eyes], centres, _lip_line(vertices, groups)
    )
    mesh = assemble(vertices, pieces, faces[eyes], centres, anchors, SHARES)
    return complete_head(_raw(arrays, groups, mesh, centres, anchors))


def _raw(
    arrays: dict[str, np.ndarray],
    groups: dict[str, np.ndarray],
    mesh: Assembled,
    centres: np.ndarray,
    anchors: dict[int, np.ndarray],
) -> RawHead:
    head = [k for k, name in enumerate(arrays["identity_names"]) if str(name).startswith("head")]
    named = tuple(str(arrays["identity_names"][k]) for k in head)
    return RawHead(
        name="GNM Head v3",
        licence="Apache-2.0, copyright 2026 Google LLC",
        vertices=mesh.vertices,
        faces=mesh.faces,
        regions=mesh.regions,
        face_uvs=mesh.face_uvs,
        eye_centres=centres,
        anchors=anchors,
        basis=mesh.carried(arrays["expression_basis"]),
        identity_names=named,
        identity_deltas=mesh.carried(arrays["vertex_identity_basis"][head]),
        neck=arrays["template_joint_positions"][1].astype(np.float64),
        torso=_torso(arrays["skinning_weights"][0], mesh.source),
        tongue=mesh.kept(np.flatnonzero(groups["tongue"])),
        lower_teeth=mesh.kept(np.flatnonzero(groups["lower_teeth_and_gums"])),
    )


def _torso(weights: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Share [V] that the torso holds: the neck joint's, which is the root of GNM's head."""
    return np.where(source >= 0, weights[np.maximum(source, 0)], 1.0).clip(0, 1)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    found = read_arrays(path, (*SHAPES_OF_KEYS, *NAMES))
    for key, shape in SHAPES_OF_KEYS.items():
        if key not in found:
            raise HeadError(f"{path.name} has no {key}.", HINT)
        array = found[key]
        fits = array.ndim == len(shape) and all(
            wanted in (-1, there) for wanted, there in zip(shape, array.shape, strict=False)
        )
        if not fits or array.dtype.kind not in "biuf":
            raise HeadError(f"{path.name}: {key} is {array.shape}, expected {shape}.", HINT)
        if not np.isfinite(array).all():
            raise HeadError(f"{path.name}: {key} holds something that is no number.", HINT)
    for key in NAMES:
        if key not in found or found[key].dtype.kind not in "US":
            raise HeadError(f"{path.name} has no {key}.", HINT)
    if str(found["version"]).split(".")[0] != "3" or str(found["variant"]) != "head":
        raise HeadError(
            f"{path.name} is GNM {found['version']} {found['variant']}, not head 3.", HINT
        )
    faces = found["triangles"]
    if faces.dtype.kind not in "iu" or faces.min() < 0 or faces.max() >= VERTICES:
        raise HeadError(f"{path.name} has a face that points outside the mesh.", HINT)
    if len(found["triangle_uvs"]) != len(faces) or len(found["identity_names"]) != IDENTITIES:
        raise HeadError(f"{path.name} holds arrays of different lengths.", HINT)
    return found


def _groups(arrays: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Vertex group -> members [V] bool, of the groups that we need."""
    names = [str(group) for group in arrays["vertex_group_names"].ravel()]
    wanted = [*EYE_GROUPS, "upper_lip", "lower_lip", *(part[0] for part in PARTS)]
    missing = [group for group in wanted if group not in names]
    if missing or len(names) != len(arrays["vertex_groups"]):
        raise HeadError(f"{name} has no vertex group {', '.join(missing) or 'names'}.", HINT)
    return {group: arrays["vertex_groups"][names.index(group)] > 0.5 for group in wanted}


def _pieces(
    faces: np.ndarray, uvs: np.ndarray, groups: dict[str, np.ndarray], eyes: np.ndarray
) -> list[Piece]:
    left = ~eyes
    pieces = []
    for group, region, island in PARTS:
        mine = left & groups[group][faces].all(1)
        left &= ~mine
        pieces.append(Piece(faces[mine], uvs[mine], region, island))
    return [piece for piece in pieces if len(piece.faces)]


def _lip_line(vertices: np.ndarray, groups: dict[str, np.ndarray]) -> np.ndarray:
    """Vertices [n] where the lips meet: each upper one's nearest lower one, and the other way."""
    upper, lower = np.flatnonzero(groups["upper_lip"]), np.flatnonzero(groups["lower_lip"])
    if not len(upper) or not len(lower):
        raise HeadError("The lips of this GNM file are empty.", HINT)
    gap = np.linalg.norm(vertices[upper][:, None] - vertices[lower][None], axis=-1)
    meets = 0.0025 + gap.min()
    return np.concatenate([upper[gap.min(1) < meets], lower[gap.min(0) < meets]])


def _sparse_landmarks(path: Path, vertices: np.ndarray) -> dict[int, np.ndarray]:
    """Anchors from GNM's own 68 landmarks, if the user has the file beside the model.

    Rows of three vertices with weights, in the order of Multi-PIE but for some of the jaw's.
    """
    beside = path.with_name(LANDMARK_FILE)
    if not beside.is_file():
        return {}
    if beside.stat().st_size > 1 << 16:
        raise HeadError(f"{LANDMARK_FILE} is too large.", "Remove it, or get it anew.")
    try:
        rows = np.array(beside.read_text("utf-8").split(), dtype=np.float64).reshape(68, 6)
    except ValueError as error:
        raise HeadError(
            f"{LANDMARK_FILE} does not hold 68 rows of six numbers.", "Remove it, or get it anew."
        ) from error
    index, weights = rows[:, ::2].astype(np.int64), rows[:, 1::2]
    if not np.isfinite(rows).all() or index.min() < 0 or index.max() >= len(vertices):
        raise HeadError(f"{LANDMARK_FILE} points outside the mesh.", "Remove it.")
    places = np.einsum("nk,nkc->nc", weights, vertices[index])
    return {lm: places[ibug] for ibug, lm in IBUG_TO_MEDIAPIPE.items()}
