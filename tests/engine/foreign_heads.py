"""Files of exactly the keys, shapes and types of FLAME and GNM, with our own head's shape in them.

The real files may not lie in the repository. These hold no data of theirs: our built-in head is cut
to pieces until the counts of vertices, faces and directions are theirs.
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix

from engine.api.head import JOINTS, HeadModel
from engine.heads.boundaries import open_loops
from engine.heads.builtin import REGIONS, builtin_head

FLAME_SKIN, FLAME_BALL = 3931, 546
GNM_VERTICES, GNM_IDENTITIES, GNM_EXPRESSIONS = 17821, 253, 383
GNM_GROUPS = (
    "skin", "upper_lip", "lower_lip", "left_eye", "right_eye", "mouth_sock", "tongue",
    "upper_teeth_and_gums", "lower_teeth_and_gums", "scleras",
)  # fmt: skip


def chosen_faces(head: HeadModel, *regions: str) -> np.ndarray:
    return head.faces[np.isin(head.face_regions, [REGIONS.index(name) for name in regions])]


def grown(
    fields: np.ndarray, faces: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fields [K, n, 3] and faces with random faces split at their middles up to `count`."""
    while fields.shape[1] < count:
        first = fields.shape[1]
        chosen = rng.permutation(len(faces))[: count - first]
        middle = first + np.arange(len(chosen))
        a, b, c = faces[chosen].T
        fields = np.concatenate([fields, fields[:, faces[chosen]].mean(2)], axis=1)
        faces[chosen] = np.column_stack([a, b, middle])
        parts = [np.column_stack([b, c, middle]), np.column_stack([c, a, middle])]
        faces = np.concatenate([faces, *parts])
    return fields, faces


def ball(centre: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A sphere of 546 vertices and 1088 faces, its poles on z."""
    rings, columns = 17, 32
    theta = np.pi * np.arange(1, rings + 1) / (rings + 1)
    phi = 2 * np.pi * np.arange(columns) / columns
    grid = np.stack([np.sin(theta)[:, None] * np.cos(phi), np.sin(theta)[:, None] * np.sin(phi),
                     np.repeat(np.cos(theta)[:, None], columns, 1)], -1)  # fmt: skip
    points = np.concatenate([[[0, 0, 1.0]], grid.reshape(-1, 3), [[0, 0, -1.0]]])
    index = 1 + np.arange(rings * columns).reshape(rings, columns)
    faces = []
    for row in range(rings - 1):
        a, b = index[row], index[row + 1]
        faces += [*zip(a, b, np.roll(b, -1), strict=True)]
        faces += [*zip(a, np.roll(b, -1), np.roll(a, -1), strict=True)]
    faces += [(0, a, b) for a, b in zip(index[0], np.roll(index[0], -1), strict=True)]
    last = len(points) - 1
    faces += [(last, b, a) for a, b in zip(index[-1], np.roll(index[-1], -1), strict=True)]
    return centre + radius * points, np.array(faces)


def _smooth_directions(head: HeadModel, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random mixtures [count, V, 3] of our expressions."""
    mixture = rng.normal(size=(count, len(head.expression_names))) * 0.2
    return np.tensordot(mixture, head.expression_deltas.astype(float), axes=1)


@lru_cache(maxsize=1)
def flame_arrays() -> dict[str, np.ndarray]:
    """What a FLAME file holds, with v_template 5023 x 3, f 9976 x 3 and 400 directions."""
    head, rng = builtin_head(), np.random.default_rng(0)
    faces = chosen_faces(head, "skin", "lips", "eyelids", "scalp", "neck")
    identities = rng.normal(size=(300, len(head.identity_names))) * 0.2
    own = np.concatenate(
        [
            head.vertices[None].astype(float),
            np.tensordot(identities, head.identity_deltas.astype(float), axes=1),
            _smooth_directions(head, 100, rng),
        ]
    )
    used, renumbered = np.unique(faces, return_inverse=True)
    held = np.repeat(head.skin_weights[used].T[..., None], 3, -1)
    packed, faces = grown(
        np.concatenate([own[:, used], held]), renumbered.reshape(-1, 3), FLAME_SKIN, rng
    )
    fields, weights = packed[: -len(JOINTS)], packed[-len(JOINTS) :, :, 0].T
    faces = _neck_trimmed(fields[0], faces, 9976 - 2 * 1088)
    for side in (3, 4):
        centre = head.joint_positions[side].astype(float)
        points, sphere = ball(centre, 0.012)
        moved = np.zeros((len(fields), len(points), 3))
        moved[0] = points
        faces = np.concatenate([faces, sphere + fields.shape[1]])
        fields = np.concatenate([fields, moved], axis=1)
        weights = np.concatenate([weights, np.tile(np.eye(5)[side], (len(points), 1))])
    regressor = np.zeros((5, 5023))
    for joint, place in enumerate(head.joint_positions[:3].astype(float)):
        # Any weights that sum to 1 and hit the joint will do: barycentric in four far vertices.
        corner = np.array([0, 152, 234, 1500])
        system = np.vstack([fields[0, corner].T, np.ones(4)])
        regressor[joint, corner] = np.linalg.solve(system, np.append(place, 1))
    regressor[3, 3931:4477] = regressor[4, 4477:] = 1 / 546
    return {
        "v_template": fields[0],
        "f": faces.astype(np.uint32),
        "shapedirs": np.ascontiguousarray(np.moveaxis(fields[1:], 0, -1)),
        "posedirs": rng.normal(size=(5023, 3, 36)) * 1e-5,
        "J_regressor": regressor,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "weights": weights,
    }


def _neck_trimmed(vertices: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """Faces [count, 3]: the missing ones are added along the neck's edge, as ears that are cut."""
    while len(faces) < count:
        loop = min(open_loops(faces), key=lambda loop: vertices[loop, 1].mean())
        pairs = min(count - len(faces), len(loop) // 2 - 2)
        ears = [(loop[2 * k], loop[2 * k + 1], loop[2 * k + 2]) for k in range(pairs)]
        faces = np.concatenate([faces, ears])
    assert len(faces) == count
    return faces


class _Ch:
    """Looks like a chumpy array to a pickle."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self._dirty_vars = ()


_Ch.__module__, _Ch.__qualname__, _Ch.__name__ = "chumpy.ch", "Ch", "Ch"


def write_flame(path: Path, *, chumpy: bool = False, protocol: int = 2) -> Path:
    """A FLAME pickle as Python writes it; with `chumpy` as the 2020 release has it."""
    content = dict(flame_arrays())
    content["J_regressor"] = csc_matrix(content["J_regressor"])
    if chumpy:
        import sys
        import types

        module = types.ModuleType("chumpy.ch")
        module.Ch = _Ch  # pickle checks that the class can be found under its name
        sys.modules |= {"chumpy": types.ModuleType("chumpy"), "chumpy.ch": module}
        for key in ("v_template", "shapedirs", "weights"):
            content[key] = _Ch(content[key])
    path.write_bytes(pickle.dumps(content, protocol))
    if chumpy:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]
    return path


@lru_cache(maxsize=1)
def gnm_arrays() -> dict[str, np.ndarray]:
    """What gnm_head.npz holds: 23 keys, 17,821 vertices, 253 identities, 383 expressions."""
    head, rng = builtin_head(), np.random.default_rng(1)
    kept = ("skin", "lips", "eyelids", "scalp", "neck", "mouth", "teeth", "tongue", "eyeballs")
    inside = np.isin(head.face_regions, [REGIONS.index(name) for name in kept])
    used, renumbered = np.unique(head.faces[inside], return_inverse=True)
    basis = np.concatenate([head.vertices[None], head.expression_deltas])[:, used]
    marked = np.stack([_members(head, used, name) for name in GNM_GROUPS])
    tags = np.concatenate([marked, head.skin_weights[used].T]).astype(float)
    packed = np.concatenate([basis, np.repeat(tags[..., None], 3, -1)])
    fields, faces = grown(packed, renumbered.reshape(-1, 3), GNM_VERTICES, rng)
    first = len(basis)
    groups = fields[first : first + len(GNM_GROUPS), :, 0] > 0.99
    weights, directions = fields[-5:, :, 0], fields[1:first]
    mixture = rng.normal(size=(GNM_EXPRESSIONS, len(directions))) * 0.1
    mixture[: len(directions)] += np.eye(len(directions))
    flat = directions.reshape(len(directions), -1).astype(np.float32)
    expressions = (mixture.astype(np.float32) @ flat).reshape(-1, GNM_VERTICES, 3)
    identities = (rng.normal(size=(GNM_IDENTITIES, len(flat))).astype(np.float32) * 0.1) @ flat
    joints = head.joint_positions[[0, 1, 3, 4]].astype(np.float32)
    uvs = np.stack([fields[0][faces][..., 0] + 0.5, fields[0][faces][..., 1] + 0.5], -1)
    strings = {
        "identity_names": [f"{k}_{i:03d}" for k, n in (("head", 170), ("teeth", 80), ("eyes", 3))
                           for i in range(n)],
        "expression_names": [f"expression_{i:03d}" for i in range(GNM_EXPRESSIONS)],
        "joint_names": ["neck", "head", "left_eye", "right_eye"],
        "mesh_component_names": ["skin", "left_eye"],
        "vertex_group_names": list(GNM_GROUPS),
    }  # fmt: skip
    return {
        "version": np.array("3.0"),
        "variant": np.array("head"),
        "template_vertex_positions": fields[0].astype(np.float32),
        "template_joint_positions": joints,
        "vertex_identity_basis": identities.reshape(-1, GNM_VERTICES, 3),
        "joint_identity_basis": np.zeros((GNM_IDENTITIES, 4, 3), np.float32),
        "expression_basis": expressions,
        **{key: np.array(value) for key, value in strings.items()},
        "joint_parent_indices": np.array([0, 0, 1, 1]),
        "skinning_weights": np.stack(
            [weights[0], weights[1] + weights[2], weights[3], weights[4]]
        ).astype(np.float32),
        "quads": np.zeros((0, 4), np.int32),
        "triangles": faces.astype(np.int32),
        "quad_uvs": np.zeros((0, 4, 2), np.float32),
        "triangle_uvs": uvs.astype(np.float32),
        "mirror_indices": np.arange(GNM_VERTICES, dtype=np.int32),
        "joint_regressor": np.zeros((4, GNM_VERTICES), np.float32),
        "pose_correctives_regressor": np.zeros((36, 3 * GNM_VERTICES), np.float32),
        "bone_aligned_template_joint_orientations": np.tile(np.eye(3, dtype=np.float32), (4, 1, 1)),
        "vertex_groups": groups.astype(np.float32),
    }


def _members(head: HeadModel, used: np.ndarray, group: str) -> np.ndarray:
    """Which [n] of our vertices are in one of GNM's groups."""
    height = head.vertices[used, 1]
    teeth = np.isin(used, chosen_faces(head, "teeth"))
    lips = np.isin(used, chosen_faces(head, "lips"))
    eyes = np.isin(used, chosen_faces(head, "eyeballs"))
    skin = np.isin(used, chosen_faces(head, "skin", "lips", "eyelids", "scalp", "neck"))
    moved = np.linalg.norm(head.expression_deltas[head.expression_names.index("jawOpen")], axis=1)
    return {
        "skin": skin,
        "upper_lip": lips & (height > -0.0514),
        "lower_lip": lips & (height <= -0.0514),
        "left_eye": eyes & (head.vertices[used, 0] > 0),
        "right_eye": eyes & (head.vertices[used, 0] < 0),
        "mouth_sock": np.isin(used, chosen_faces(head, "mouth")),
        "tongue": np.isin(used, chosen_faces(head, "tongue")),
        "upper_teeth_and_gums": teeth & (moved[used] < 1e-4),
        "lower_teeth_and_gums": teeth & (moved[used] >= 1e-4),
        "scleras": eyes,
    }[group]
