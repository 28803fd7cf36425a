"""ICT-FaceKit (USC ICT, 2020, MIT licence): the user's folder of OBJ files, or its converted .npz.

What lies where in its mesh is told by vertex ranges, the same in every release of the light model.
The file is in centimetres, y up, z to the front.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..api.errors import HeadError
from ..api.head import HeadModel
from .array_archive import read_arrays
from .boundaries import loose_parts
from .builtin_shapes import EXPRESSIONS
from .complete_head import complete_head
from .landmarks import IBUG_TO_MEDIAPIPE
from .mesh_parts import Assembled, Piece, assemble
from .obj_file import read_obj
from .raw_head import RawHead

VERTICES = 26719
SKIN = (0, 11248)
MOUTH = (11248, 13294)  # the eye sockets after it are never seen
GUMS = (14062, 17039)  # with the tongue
TEETH = (17039, 21451)
EYEBALLS = (21451, 24591)  # what follows are lashes and helpers
CENTIMETRES = 0.01
TONGUE_HALF_WIDTH = 0.0205  # metres: the tongue's islands are narrower than the dental arch
NEUTRAL = "generic_neutral_mesh.obj"
KEYS = (
    "vertices", "faces", "uvs", "face_uvs", "expression_names", "expression_deltas",
    "identity_deltas",
)  # fmt: skip
SHARES = {
    "front": 0.52, "back": 0.15, "shoulders": 0.13, "gums": 0.06, "teeth": 0.06, "eye_left": 0.04,
    "eye_right": 0.04,
}  # fmt: skip
LANDMARKS_68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088,
    3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140,
    2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216,
    6207, 6470, 5517, 5966,
)  # fmt: skip
HINT = "Point at the FaceXModel folder of ICT-FaceKit, or at the .npz converted from it."


class _Kit(NamedTuple):
    """The kit's arrays as they are stored: centimetres, polygons of up to four corners."""

    vertices: np.ndarray  # [26719, 3]
    faces: np.ndarray  # [n, 4], -1 last in a triangle
    uvs: np.ndarray  # [m, 2], tiles side by side
    face_uvs: np.ndarray  # [n, 4]
    expressions: dict[str, np.ndarray]  # the kit's name -> [26719, 3]
    identities: np.ndarray  # [I, 26719, 3]


def is_ict_folder(path: Path) -> bool:
    """Whether a folder is the kit's model folder."""
    return (path / NEUTRAL).is_file()


def read_ict(path: str | Path) -> HeadModel:
    """The head of a folder or an .npz. Raises HeadError when anything in it does not add up."""
    path = Path(path)
    kit = _from_folder(path) if path.is_dir() else _from_npz(path)
    vertices = kit.vertices.astype(np.float64) * CENTIMETRES
    faces, corners = _triangles(kit)
    anchors = {lm: vertices[LANDMARKS_68[ibug]] for ibug, lm in IBUG_TO_MEDIAPIPE.items()}
    eyeballs = faces[_within(faces, EYEBALLS)]
    centres = np.stack([_middle(vertices[eyeballs], side) for side in (1, -1)])
    pieces = _pieces(vertices, faces, corners, kit.uvs.astype(np.float64))
    mesh = assemble(vertices, pieces, eyeballs, centres, anchors, SHARES)
    inside = {piece.region: np.unique(piece.faces) for piece in pieces}
    lower = inside["teeth"][_moves_with_jaw(kit, inside["teeth"])]
    return complete_head(_raw(kit, mesh, centres, anchors, inside["tongue"], lower))


def _raw(
    kit: _Kit,
    mesh: Assembled,
    centres: np.ndarray,
    anchors: dict[int, np.ndarray],
    tongue: np.ndarray,
    lower: np.ndarray,
) -> RawHead:
    count = len(kit.identities)
    return RawHead(
        name="ICT-FaceKit",
        licence="MIT, copyright 2020 USC Institute for Creative Technologies",
        vertices=mesh.vertices,
        faces=mesh.faces,
        regions=mesh.regions,
        face_uvs=mesh.face_uvs,
        eye_centres=centres,
        anchors=anchors,
        expressions={
            name: mesh.carried(delta) * CENTIMETRES for name, delta in _arkit(kit).items()
        },
        identity_names=tuple(f"identity{index:03d}" for index in range(count)),
        identity_deltas=mesh.carried(kit.identities) * CENTIMETRES,
        tongue=mesh.kept(tongue),
        lower_teeth=mesh.kept(lower),
    )


def _from_npz(path: Path) -> _Kit:
    arrays = read_arrays(path, KEYS)
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise HeadError(f"{path.name} has no {', '.join(missing)}.", HINT)
    names = [str(name) for name in arrays["expression_names"].ravel()]
    expressions, identities = arrays["expression_deltas"], arrays["identity_deltas"]
    count = len(arrays["vertices"])
    if expressions.shape != (len(names), count, 3) or identities.shape[1:] != (count, 3):
        raise HeadError(f"{path.name} holds shapes that do not fit its {count} vertices.", HINT)
    kit = _Kit(
        arrays["vertices"],
        arrays["faces"],
        arrays["uvs"],
        arrays["face_uvs"],
        dict(zip(names, expressions, strict=True)),
        identities,
    )
    _check(kit, path.name)
    return kit


def _from_folder(path: Path) -> _Kit:
    neutral = read_obj(path / NEUTRAL)

    def delta(file: Path) -> np.ndarray:
        moved = read_obj(file, faces=False).vertices
        if moved.shape != neutral.vertices.shape:
            raise HeadError(f"{file.name} has {len(moved)} vertices, not {VERTICES}.", HINT)
        return (moved - neutral.vertices).astype(np.float32)

    files = sorted(file for file in path.glob("*.obj") if file.name != NEUTRAL)
    identities = [delta(file) for file in files if file.stem.startswith("identity")]
    expressions = {f.stem: delta(f) for f in files if not f.stem.startswith("identity")}
    stacked = np.stack(identities) if identities else np.zeros((0, *neutral.vertices.shape))
    kit = _Kit(neutral.vertices, neutral.faces, neutral.uvs, neutral.face_uvs, expressions, stacked)
    _check(kit, path.name)
    return kit


def _check(kit: _Kit, name: str) -> None:
    """Raises HeadError unless the arrays are the kit's."""
    if kit.vertices.shape != (VERTICES, 3):
        raise HeadError(f"{name} has {len(kit.vertices)} vertices, not {VERTICES}.", HINT)
    faces, uvs = kit.faces, kit.face_uvs
    whole = faces.ndim == 2 and faces.shape[1] == 4 and faces.shape == uvs.shape
    if not whole or faces.dtype.kind not in "iu" or uvs.dtype.kind not in "iu":
        raise HeadError(f"{name} holds no polygons of four corners with UVs.", HINT)
    for array, limit in ((faces, VERTICES), (uvs, len(kit.uvs))):
        if array.max() >= limit or array[:, :3].min() < 0 or array.min() < -1:
            raise HeadError(f"{name} has a face that points outside the mesh.", HINT)
    numbers = [kit.vertices, kit.uvs, kit.identities, *kit.expressions.values()]
    if any(a.dtype.kind not in "fiu" or not np.isfinite(a).all() for a in numbers):
        raise HeadError(f"{name} holds something that is not a number.", HINT)
    missing = [n for n in EXPRESSIONS if n != "tongueOut" and not _kit_names(n, kit.expressions)]
    if missing:
        raise HeadError(f"{name} has no expression {', '.join(missing[:3])}.", HINT)


def _kit_names(name: str, present: dict[str, np.ndarray]) -> list[str]:
    """The kit's names whose sum is an ARKit expression: smileLeft is smile_L, browInnerUp both."""
    if name in present:
        return [name]
    for suffix, short in (("Left", "_L"), ("Right", "_R")):
        if name.endswith(suffix) and name.removesuffix(suffix) + short in present:
            return [name.removesuffix(suffix) + short]
    both = [name + "_L", name + "_R"]
    return both if all(half in present for half in both) else []


def _arkit(kit: _Kit) -> dict[str, np.ndarray]:
    """ARKit name -> displacement [26719, 3] in centimetres; the kit has no tongueOut."""
    found = {name: _kit_names(name, kit.expressions) for name in EXPRESSIONS}
    return {
        name: np.sum([kit.expressions[half].astype(np.float32) for half in halves], axis=0)
        for name, halves in found.items()
        if halves
    }


def _triangles(kit: _Kit) -> tuple[np.ndarray, np.ndarray]:
    """Triangles [F, 3] of the polygons: their vertices and their UVs, by index."""
    four = kit.faces[:, 3] >= 0
    faces = np.concatenate([kit.faces[:, :3], kit.faces[four][:, [0, 2, 3]]])
    corners = np.concatenate([kit.face_uvs[:, :3], kit.face_uvs[four][:, [0, 2, 3]]])
    return faces.astype(np.int64), corners.astype(np.int64)


def _within(faces: np.ndarray, span: tuple[int, int]) -> np.ndarray:
    return ((faces >= span[0]) & (faces < span[1])).all(1)


def _middle(corners: np.ndarray, side: int) -> np.ndarray:
    """Centre [3] of the sphere that fits the eyeball's points on one side of x = 0 best."""
    points = corners.reshape(-1, 3)
    points = points[points[:, 0] * side > 0]
    system = np.column_stack([2 * points, np.ones(len(points))])
    return np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0][:3]


def _pieces(
    vertices: np.ndarray, faces: np.ndarray, corners: np.ndarray, uvs: np.ndarray
) -> list[Piece]:
    """Skin of the face's tile and of the head's, the mouth, gums, teeth and the tongue."""
    skin = _within(faces, SKIN)
    mouth = _within(faces, (0, MOUTH[1])) & ~skin
    gums, teeth = _within(faces, GUMS), _within(faces, TEETH)
    behind = uvs[corners, 0].mean(1) >= 1
    tongue = gums & _narrow(vertices, faces, loose_parts(corners[gums], len(uvs))[corners[:, 0]])
    chosen = (
        (skin & ~behind, "skin", "front"),
        (skin & behind, "skin", "back"),
        (mouth, "mouth", "back"),
        (gums & ~tongue, "mouth", "gums"),
        (tongue, "tongue", "gums"),
        (teeth, "teeth", "teeth"),
    )
    return [Piece(faces[c], uvs[corners[c]], region, island) for c, region, island in chosen]


def _narrow(vertices: np.ndarray, faces: np.ndarray, islands: np.ndarray) -> np.ndarray:
    """Faces [F] bool of UV islands that are wider than one side yet narrower than the arch."""
    narrow = np.zeros(len(faces), bool)
    inside = _within(faces, GUMS)
    for island in np.unique(islands[inside]):
        mine = inside & (islands == island)
        x = vertices[faces[mine], 0]
        narrow |= (
            mine & (0.01 < -x.min() < TONGUE_HALF_WIDTH) & (0.01 < x.max() < TONGUE_HALF_WIDTH)
        )
    return narrow


def _moves_with_jaw(kit: _Kit, teeth: np.ndarray) -> np.ndarray:
    """Which [n] bool of the teeth's vertices jawOpen moves."""
    return np.linalg.norm(kit.expressions["jawOpen"][teeth].astype(float), axis=1) > 0.1
