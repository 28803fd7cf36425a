"""FLAME 2020, 2023 and 2023 Open: the user's own model file, .pkl or .npz with the same keys.

FLAME's mesh has no inside of the mouth and its file no UVs: both are made here (paper 001). The
versions have different bases, so a head always says which one it is; see `same_flame`.
Metres, y up, z to the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..api.errors import HeadError
from ..api.head import JOINTS, HeadModel
from ..api.rotations import matrix_from_rotvec
from .array_archive import read_arrays
from .boundaries import loose_parts, open_loops
from .complete_head import complete_head
from .face_anchors import face_anchors
from .flame_atlas import SHARES, skin_atlas
from .mesh_parts import Assembled, assemble
from .mouth_cavity import Cavity, mouth_cavity
from .pickle_reader import read_pickle
from .pickled_arrays import array_from
from .raw_head import RawHead

VERTICES, FACES, SHAPES, DIRECTIONS = 5023, 9976, 300, 400
SHAPES_OF_KEYS = {
    "v_template": (VERTICES, 3),
    "f": (FACES, 3),
    "shapedirs": (VERTICES, 3, DIRECTIONS),
    "posedirs": (VERTICES, 3, 9 * (len(JOINTS) - 1)),
    "J_regressor": (len(JOINTS), VERTICES),
    "weights": (VERTICES, len(JOINTS)),
}
JAW = JOINTS.index("jaw")
JAW_OPEN = np.deg2rad(18.0)
JAW_YAW = np.deg2rad(6.0)
CLOSED = "MPI-IS FLAME licence: the user's own registration, non-commercial"
LICENCES = {
    "2020": CLOSED,
    "2023": CLOSED,
    "2023 Open": "CC-BY-4.0, Max-Planck-Gesellschaft",
}
EMBEDDING = "mediapipe_landmark_embedding.npz"
HINT = "Use the unchanged model file from flame.is.tue.mpg.de."


def flame_version(path: str | Path) -> str:
    """Which FLAME a file is, by the name it was published under. Raises HeadError if unclear."""
    stem = Path(path).stem.lower()
    if "2023" in stem:
        return "2023 Open" if "open" in stem else "2023"
    if "2020" in stem or stem in ("generic_model", "female_model", "male_model"):
        return "2020"
    raise HeadError(
        f"{Path(path).name} does not say which FLAME it is, and versions must not be mixed.",
        "Name it flame2020, flame2023 or flame2023_Open, whichever it is.",
    )


def same_flame(head_name: str, wanted: str) -> None:
    """Raises HeadError unless a head is the FLAME version that some data were made with."""
    if head_name != f"FLAME {wanted}":
        raise HeadError(
            f"These data need FLAME {wanted}, but the head is {head_name}.",
            "Codes of one version mean other shapes in another: add the right model file.",
        )


@dataclass(frozen=True)
class FlameFile:
    """What a FLAME file holds, and the mesh that is made of it."""

    arrays: dict[str, np.ndarray]  # as published, SHAPES_OF_KEYS
    cavity: Cavity
    mesh: Assembled
    raw: RawHead

    def carried(self, fields: np.ndarray) -> np.ndarray:
        """Displacements [V, 3] of the whole mesh from those of FLAME's own vertices [5023, 3]."""
        return self.mesh.carried(self.cavity.extended(fields))


def read_flame(path: str | Path) -> HeadModel:
    """The head of a FLAME file. Raises HeadError when anything in it does not add up."""
    return complete_head(open_flame(path).raw)


def open_flame(path: str | Path) -> FlameFile:
    """A FLAME file before its head is completed. Raises HeadError likewise."""
    path = Path(path)
    version = flame_version(path)
    arrays = _arrays(path)
    vertices, faces = arrays["v_template"], arrays["f"]
    parts = loose_parts(faces, VERTICES)
    skin = faces[parts[faces[:, 0]] == np.bincount(parts).argmax()]
    eyeballs = faces[parts[faces[:, 0]] != np.bincount(parts).argmax()]
    joints = arrays["J_regressor"] @ vertices
    if joints[3, 0] < joints[4, 0]:
        raise HeadError(f"{path.name} has its eyes the wrong way round.", HINT)
    lips = _mouth_edge(vertices, skin, joints)
    cavity = mouth_cavity(vertices, lips)
    grown = np.concatenate([vertices, cavity.mix @ vertices + cavity.offset])
    anchors = _anchors(path, vertices, faces) or face_anchors(
        vertices, skin, eyeballs, joints[3:], lips
    )
    pieces = skin_atlas(grown, skin, lips, cavity, anchors)
    mesh = assemble(grown, pieces, eyeballs, joints[3:], anchors, SHARES)
    shapes = np.moveaxis(cavity.extended(arrays["shapedirs"]), -1, 0)
    jaw = np.stack([cavity.extended(field) for field in _jaw_turns(arrays, joints)])
    weights = cavity.extended(arrays["weights"])
    raw = RawHead(
        name=f"FLAME {version}",
        licence=LICENCES[version],
        vertices=mesh.vertices,
        faces=mesh.faces,
        regions=mesh.regions,
        face_uvs=mesh.face_uvs,
        eye_centres=joints[3:],
        anchors=anchors,
        expressions={"jawOpen": mesh.carried(jaw[0])},
        basis=mesh.carried(np.concatenate([shapes[SHAPES:], jaw])),
        identity_names=tuple(f"shape{index:03d}" for index in range(SHAPES)),
        identity_deltas=mesh.carried(shapes[:SHAPES]),
        joints=joints,
        skin_weights=_weights(weights, mesh.source),
        joint_regressor=_regressor(arrays["J_regressor"], cavity, mesh.source),
    )
    return FlameFile(arrays, cavity, mesh, raw)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The file's arrays in float64 (faces int64), each of the published shape."""
    if path.suffix.lower() == ".npz":
        found = read_arrays(path, SHAPES_OF_KEYS)
    else:
        content = read_pickle(path)
        if not isinstance(content, dict):
            raise HeadError(f"{path.name} holds no dictionary.", HINT)
        found = {
            key: array_from(content[key], f"{path.name}: {key}")
            for key in SHAPES_OF_KEYS
            if key in content
        }
    for key, shape in SHAPES_OF_KEYS.items():
        if key not in found:
            raise HeadError(f"{path.name} has no {key}.", HINT)
        array = found[key]
        if array.shape != shape or array.dtype.kind not in "iuf":
            raise HeadError(f"{path.name}: {key} is {array.shape}, expected {shape}.", HINT)
        found[key] = array.astype(np.int64 if key == "f" else np.float64)
        if not np.isfinite(array).all() or np.abs(array).max() > 1e5:
            raise HeadError(f"{path.name}: {key} holds something that is no number.", HINT)
    faces = found["f"]
    if faces.min() < 0 or faces.max() >= VERTICES:
        raise HeadError(f"{path.name} has a face that points outside the mesh.", HINT)
    return found


def _mouth_edge(vertices: np.ndarray, skin: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """The lips' open edge: of those that are neither the neck's nor an eye's, the frontmost."""
    loops = open_loops(skin)
    middles = np.array([vertices[loop].mean(0) for loop in loops]).reshape(-1, 3)
    away = np.linalg.norm(middles[:, None] - joints[None, 3:], axis=-1).min(1, initial=np.inf)
    usable = [k for k in range(len(loops)) if away[k] > 0.025 and middles[k, 2] > joints[JAW, 2]]
    if not usable:
        raise HeadError("The mouth of this FLAME model has no open edge.", HINT)
    return loops[max(usable, key=lambda k: middles[k, 2])]


def _jaw_turns(arrays: dict[str, np.ndarray], joints: np.ndarray) -> np.ndarray:
    """Displacements [3, 5023, 3] of the jaw joint opened, turned left and right, with correctives.

    The pose correctives of those angles are part of them, so the shapes need none later.
    """
    fields = []
    for rotvec in ((JAW_OPEN, 0, 0), (0, JAW_YAW, 0), (0, -JAW_YAW, 0)):
        turn = matrix_from_rotvec(np.array(rotvec, float))
        offset = arrays["v_template"] - joints[JAW]
        rigid = arrays["weights"][:, JAW, None] * (offset @ turn.T - offset)
        first = 9 * (JAW - 1)
        corrective = arrays["posedirs"][..., first : first + 9] @ (turn - np.eye(3)).ravel()
        fields.append(rigid + corrective)
    return np.stack(fields)


def _anchors(path: Path, vertices: np.ndarray, faces: np.ndarray) -> dict[int, np.ndarray]:
    """Landmarks of MediaPipe's embedding file, if the user has it beside the model."""
    beside = path.with_name(EMBEDDING)
    if not beside.is_file():
        return {}
    wanted = ("lmk_face_idx", "lmk_b_coords", "landmark_indices")
    found = read_arrays(beside, wanted)
    if set(found) != set(wanted):
        raise HeadError(f"{EMBEDDING} lacks a key.", "Remove it, or get it anew.")
    index, coords, landmarks = (found[key] for key in wanted)
    whole = index.shape == landmarks.shape == coords.shape[:1] and coords.shape[1:] == (3,)
    if not whole or not ((index >= 0) & (index < FACES)).all() or not np.isfinite(coords).all():
        raise HeadError(f"{EMBEDDING} does not fit FLAME.", "Remove it, or get it anew.")
    places = np.einsum("nk,nkc->nc", coords, vertices[faces[index.astype(int)]])
    return {int(k): place for k, place in zip(landmarks, places, strict=True) if 0 <= k < 468}


def _weights(weights: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Weights [V, 5] of the assembled mesh; what we added hangs on the torso."""
    chosen = weights[np.maximum(source, 0)]
    chosen[source < 0] = np.eye(len(JOINTS))[0]
    return chosen / chosen.sum(1, keepdims=True)


def _regressor(regressor: np.ndarray, cavity: Cavity, source: np.ndarray) -> np.ndarray:
    """[5, V] over the assembled mesh, of vertices that the file's regressor knows."""
    grown = np.concatenate([regressor, np.zeros((len(JOINTS), len(cavity.offset)))], axis=1)
    return np.where(source >= 0, grown[:, np.maximum(source, 0)], 0)
