"""The puppet: the built-in head fitted to the portrait, with a relief of hair, ears and clothes.

The photo is projected onto the face mesh and onto a puffed-up relief of everything else of the
person; both move with the head model, so every frame's head params are known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.spatial import cKDTree

from ..api.head import HeadModel, HeadParams, skin
from ..imaging import fill_polygon
from .camera import WORLD_TO_CAMERA, project
from .draw import OPAQUE, Surface
from .inside import eye_surface, mouth_surface, region_faces
from .portrait import Portrait
from .portrait_fit import fit_head
from .relief import Relief, raise_relief

FACE_SPREAD = 0.012  # metres: how far a landmark's correction reaches over the mesh
SAFE_MARGIN = 5  # pixels inside the face's outline where the photo is all skin
FACE = ("skin", "lips", "eyelids")
# MediaPipe landmarks: inner lips above and below; the face's outline from ear over chin to ear.
LIP_PAIRS = (
    (191, 95), (80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318),
    (415, 324),
)  # fmt: skip
CHEEKS = (
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288,
    361, 323, 454, 356,
)  # fmt: skip
LIP_REACH = 0.008  # metres
FOREHEAD = 120  # pixels from the ears' height to above the brows


@dataclass(frozen=True)
class Puppet:
    """Everything needed to draw a frame."""

    head: HeadModel  # the portrait's person, neutral
    photo: HeadParams  # the pose and expression in the photo
    texels: np.ndarray  # [V, 2] where the photo shows each head vertex
    face: np.ndarray  # [n, 3] triangles that show the photo
    relief: Relief
    portrait: Portrait

    def placed(self, params: HeadParams) -> HeadParams:
        """The performance's params put where the person stands in the photo's world."""
        return replace(
            params,
            rotation=params.rotation + self.photo.rotation,
            translation=params.translation + self.photo.translation,
        )

    def surfaces(self, params: HeadParams) -> list[Surface]:
        """What to draw for one frame of placed params."""
        head = self.head
        vertices = head.pose(params) @ WORLD_TO_CAMERA
        relief = self.relief
        shaped = relief.rest + np.tensordot(params.expression, relief.deltas, axes=1)
        sheet = skin(shaped, head.joint_positions, relief.weights, params) @ WORLD_TO_CAMERA
        texture = self.portrait.texture
        faces = self.face
        ones = np.ones(len(vertices), np.float32)
        return [
            Surface(vertices, faces, self.texels[faces], ones, texture),
            Surface(
                sheet, relief.triangles, relief.texels[relief.triangles], relief.shade, texture
            ),
            mouth_surface(head, vertices),
            eye_surface(head, vertices, params),
        ]


def build_puppet(head: HeadModel, portrait: Portrait) -> Puppet:
    """Fit the head to the portrait's landmarks and raise the relief around it."""
    fitted, photo, anchors, shift = fit_head(head, portrait.landmarks)
    offset = _spread(fitted, anchors, shift)
    smiling = fitted.personalised(np.zeros(0, np.float32), offset)
    world = smiling.pose(photo)
    # What parts the lips beyond the fitted smile belongs to the photo, not to the person.
    person = fitted.personalised(
        np.zeros(0, np.float32), offset - _lip_parting(fitted, anchors, offset)
    )
    texels = project(world)
    face = _shown_triangles(person, texels, portrait.clothes)
    relief = raise_relief(smiling, photo, world, region_faces(person, *FACE), portrait)
    texels = _onto_the_face(texels, portrait)
    return Puppet(person, photo, texels, face, relief, portrait)


def _spread(head: HeadModel, anchors: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Landmark shifts [L, 3] over all vertices [V, 3]; the eyeballs move as wholes."""
    square = ((head.vertices[:, None] - anchors[None]) ** 2).sum(-1)
    nearest = np.sqrt(square.min(1))
    reach = FACE_SPREAD
    weight = np.exp(-(square - square.min(1, keepdims=True)) / (2 * (reach / 3) ** 2))
    offset = weight @ shift / weight.sum(1, keepdims=True)
    offset *= np.exp(-0.5 * (np.maximum(nearest - 0.5 * reach, 0) / 0.018) ** 2)[:, None]
    eyeballs = np.unique(region_faces(head, "eyeballs"))
    for left in (True, False):
        ball = eyeballs[(head.vertices[eyeballs, 0] > 0) == left]
        centre = head.vertices[ball].mean(0)
        near = np.argsort(((anchors - centre) ** 2).sum(1))[:16]
        offset[ball] = shift[near].mean(0)
    return offset.astype(np.float32)


def _lip_parting(head: HeadModel, anchors: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The part of an offset [V, 3] that opens the closed neutral lips, fading around them."""
    upper, lower = np.transpose(LIP_PAIRS)
    tree = cKDTree(head.vertices)
    at_upper, at_lower = (tree.query(anchors[side])[1] for side in (upper, lower))
    half = 0.5 * (offset[at_upper] - offset[at_lower])
    parting = np.zeros_like(offset)
    for side, sign in ((at_upper, 1.0), (at_lower, -1.0)):
        square = ((head.vertices[:, None] - head.vertices[side]) ** 2).sum(-1)
        weight = np.exp(-square / (2 * (LIP_REACH / 2) ** 2)) + 1e-9
        fade = np.exp(-0.5 * square.min(1) / LIP_REACH**2)
        above = head.vertices[:, 1] >= np.median(head.vertices[side, 1])
        mine = (above if sign > 0 else ~above) & ~np.isin(
            np.arange(len(offset)), region_faces(head, "teeth", "tongue", "eyeballs")
        )
        field = sign * (weight @ half / weight.sum(1, keepdims=True)) * fade[:, None]
        parting[mine] = field[mine]
    return parting


def _onto_the_face(texels: np.ndarray, portrait: Portrait) -> np.ndarray:
    """Texels [V, 2] moved to the nearest pixel inside the face: no hair or backdrop on the jaw."""
    cheeks = portrait.landmarks[list(CHEEKS)]
    top = cheeks[[-1, 0]] - (0, FOREHEAD)
    oval = fill_polygon(portrait.clothes.shape, np.concatenate([cheeks, top]))
    solid = binary_erosion(oval & (portrait.texture[..., 3] > OPAQUE), iterations=SAFE_MARGIN)
    nearest = distance_transform_edt(~solid, return_distances=False, return_indices=True)
    x, y = np.clip(texels.astype(int), 0, len(solid) - 1).T
    inside = np.stack([nearest[1, y, x], nearest[0, y, x]], -1) + 0.5
    side = solid[y, x] | (texels[:, 1] < cheeks[:, 1].min())
    return np.where(side[:, None], texels, inside).astype(np.float32)


def _shown_triangles(head: HeadModel, texels: np.ndarray, clothes: np.ndarray) -> np.ndarray:
    """Triangles [n, 3] that show the photo: the face, and the neck above the collar."""
    neck = region_faces(head, "neck")
    x, y = np.clip(texels.astype(int), 0, len(clothes) - 1).T
    bare = ~clothes[y, x]
    return np.concatenate([region_faces(head, *FACE), neck[bare[neck].all(1)]])
