"""Short hair that stands on the face and follows it: brows, lashes, stubble and beards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial import cKDTree

from ..api.baked import Binding
from ..api.head import HeadModel
from ..binding import SurfaceBinding
from .hair import hair_tone
from .noise import linear, mixed, smoothstep, waves
from .skin import near_curve
from .strands import Strands, joined, polylines
from .template import Template
from .traits import Traits

# MediaPipe landmarks from the nose outwards, on the subject's right and left.
BROWS = (((107, 66, 105, 63, 70), (55, 65, 52, 53, 46)),
         ((336, 296, 334, 293, 300), (285, 295, 282, 283, 276)))  # fmt: skip
UPPER_LIDS = ((133, 173, 157, 158, 159, 160, 161, 246, 33),
              (362, 398, 384, 385, 386, 387, 388, 466, 263))  # fmt: skip
LOWER_LIDS = ((133, 155, 154, 153, 145, 144, 163, 7, 33),
              (362, 382, 381, 380, 374, 373, 390, 249, 263))  # fmt: skip
BROW_HAIRS, LASHES, BEARD_HAIRS = 170, 40, 2600  # of a side; the beard's of both


class Fur:
    """Rooted strands and the binding that they stand on."""

    def __init__(self, strands: Strands, binding: Binding, head: HeadModel) -> None:
        """`strands` are in head space, one a root; they are kept in tangent space."""
        self.surface = SurfaceBinding(binding, head.faces)
        frames, _, origins = self.surface.frames(torch.from_numpy(head.vertices)[None])
        self.strands = replace(
            strands,
            start=_local(strands.start - origins[0].numpy(), frames[0].numpy()),
            end=_local(strands.end - origins[0].numpy(), frames[0].numpy()),
            normal=_local(strands.normal, frames[0].numpy()),
        )


def _local(vectors: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return np.einsum("nij,ni->nj", frames, vectors).astype(np.float32)


def grow_fur(traits: Traits, head: HeadModel, canvas: Template) -> Fur:
    """Brows, lashes and beard of a person's own head."""
    rng = np.random.default_rng([traits.seed, 8])
    vertices = head.vertices * 1000
    grown = [_brow(traits, vertices, side, rng) for side in (0, 1)]
    grown += [_lashes(traits, vertices, side, rng) for side in (0, 1)]
    beard = _beard(traits, head, canvas, rng)
    grown += [beard] if beard else []
    strands = [polylines(paths / 1000, w / 1000, tone[:, None], (0, 0, 1.0), 0.1, o)
               for paths, w, tone, o in grown]  # fmt: skip
    roots = np.concatenate([strand.start for strand in strands]) * 1000
    nearest = _nearest_skin(canvas, head, roots)
    on = canvas.binding
    binding = Binding(on.face[nearest], on.barycentric[nearest], on.tangent[nearest])
    return Fur(_with_normals(strands, head, canvas, nearest), binding, head)


def _nearest_skin(canvas: Template, head: HeadModel, roots: np.ndarray) -> np.ndarray:
    """The surface Gaussian [n] of skin or lids nearest to each root."""
    skin = np.flatnonzero(canvas.of("skin", "eyelids", "neck"))
    places = canvas.interpolated(head.vertices)[skin] * 1000
    return skin[cKDTree(places).query(roots)[1]]


def _with_normals(
    strands: list[Strands], head: HeadModel, canvas: Template, nearest: np.ndarray
) -> Strands:
    return replace(joined(strands), normal=canvas.normals[nearest].astype(np.float32))


def _brow(
    traits: Traits, vertices: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, float, np.ndarray, float]:
    """Hairs [n, 2, 3] of a brow, their width, tones and opacity."""
    upper, lower = (_along(vertices[list(line)], BROW_HAIRS) for line in BROWS[side])
    place, along = (upper[0] + lower[0]) / 2, upper[1]
    half = traits.brow_thickness * np.interp(along, [0, 0.15, 0.55, 1], [0.75, 1.0, 0.85, 0.25])
    up = rng.uniform(-1, 1, BROW_HAIRS)
    place = place + np.stack([0 * up, up * half, 0 * up], 1)
    outwards = 1 if vertices[BROWS[side][0][4], 0] > 0 else -1
    lie = np.stack(
        [outwards * (0.35 + 0.65 * along), 0.8 - 1.1 * along - 0.3 * up, 0.1 + 0 * up], 1
    )
    lie += rng.normal(0, 0.15, lie.shape)
    lie /= np.linalg.norm(lie, axis=1, keepdims=True)
    paths = np.stack([place + (0, 0, 0.5), place + lie * rng.uniform(4, 7, (BROW_HAIRS, 1))], 1)
    dark = 0.75 if traits.hair.mean() > 0.3 else 1.0
    tones = hair_tone(traits) * dark * np.exp(rng.normal(0, 0.2, (BROW_HAIRS, 1)))
    tones = np.minimum(tones, 0.5 * linear(traits.skin) + 0.02)
    return paths, 0.55, tones, rng.uniform(0.55, 0.9)


def _along(curve: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [n, 3] at shares [n] along a polyline, evenly spread."""
    share = (np.arange(count) + 0.5) / count
    knots = np.linspace(0, 1, len(curve))
    return np.stack([np.interp(share, knots, curve[:, k]) for k in range(3)], 1), share


def _lashes(
    traits: Traits, vertices: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, float, np.ndarray, float]:
    """The dark line of both lids and the lashes, as [n, 2, 3]."""
    paths = []
    for lids, up, length in ((UPPER_LIDS, 0.55, 5.0), (LOWER_LIDS, -0.7, 2.0)):
        place, along = _along(vertices[list(lids[side])], LASHES)
        outwards = 1 if vertices[lids[side][-1], 0] > 0 else -1
        lie = np.stack([outwards * (along - 0.3), np.full(LASHES, up), np.full(LASHES, 0.9)], 1)
        lie /= np.linalg.norm(lie, axis=1, keepdims=True)
        long = length * (0.5 + 0.5 * along)[:, None] * (0.7 + 0.6 * max(traits.makeup, 0.3))
        paths.append(np.stack([place, place + lie * long], 1))
    hairs = np.concatenate(paths)
    tones = np.tile(np.minimum(hair_tone(traits), 0.04), (len(hairs), 1))
    return hairs, 0.28 + 0.25 * traits.makeup, tones, 0.45 + 0.4 * traits.makeup


def beard_share(traits: Traits, canvas: Template) -> np.ndarray:
    """How much of a beard grows at each surface Gaussian [N], 0..1, whatever its length."""
    if traits.beard == "none":
        return np.zeros(len(canvas.points))
    rng = np.random.default_rng([traits.seed, 9])
    points = canvas.points
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    mouth = np.exp(-((x / 27) ** 4 + ((y + 52) / 11) ** 4))
    cheek = np.interp(z, [0, 15, 40, 60, 75], [14, -12, -40, -50, -58])
    edge = 2.5 * waves(rng, points, 12)
    jaw = smoothstep(cheek + edge - y, -3, 8) * smoothstep(z, -12, 0) * smoothstep(y, -118, -100)
    jaw = jaw * (1 - mouth) * (1 - 0.7 * np.exp(-((x - 14) ** 2 / 30 + (y + 68) ** 2 / 40)))
    moustache = smoothstep(34 - x, 0, 8) * np.exp(-(((y + 38.5) / 6.5) ** 4)) * (z > 60)
    chin = np.exp(-((x / 22) ** 4)) * smoothstep(-62 - y, 0, 4) * (z > 30)
    goatee = np.maximum(chin, np.exp(-(((x - 27) / 6) ** 2)) * (y < -40) * (y > -80) * (z > 40))
    share = {
        "stubble": np.maximum(jaw, moustache),
        "moustache": moustache,
        "goatee": np.maximum(moustache, goatee),
        "short": np.maximum(jaw, moustache),
        "full": np.maximum(jaw, moustache),
    }[traits.beard]
    return share * canvas.of("skin", "neck") * (1 - canvas.of("lips"))


def shadowed(traits: Traits, canvas: Template, albedo: np.ndarray) -> np.ndarray:
    """Skin albedo [N, 3] darkened under brows, beard and the lids' edges."""
    vertices = canvas.head.vertices * 1000
    share = np.clip(beard_share(traits, canvas), 0, 1)
    strength = {"none": 0.0, "stubble": 0.42}.get(traits.beard, 0.62)
    tone = 0.7 * hair_tone(traits) + 0.3 * albedo.mean(0) * np.array([0.6, 0.66, 0.75])
    albedo = mixed(albedo, tone, strength * share)
    for side in (0, 1):
        middle = (vertices[list(BROWS[side][0])] + vertices[list(BROWS[side][1])]) / 2
        brow = near_curve(canvas.points, middle, traits.brow_thickness * 0.9)
        albedo = mixed(albedo, np.minimum(hair_tone(traits), albedo.min()), 0.35 * brow)
        line = near_curve(canvas.points, vertices[list(UPPER_LIDS[side])], 1.2)
        albedo = albedo * (1 - (0.35 + 0.45 * traits.makeup) * line[:, None])
    return albedo


def _beard(
    traits: Traits, head: HeadModel, canvas: Template, rng: np.random.Generator
) -> tuple[np.ndarray, float, np.ndarray, float] | None:
    """Hairs [n, 2, 3] of the beard, or None."""
    length = {"moustache": 7, "goatee": 9, "short": 7, "full": 20}.get(traits.beard)
    share = beard_share(traits, canvas)
    if length is None or share.sum() < 1:
        return None
    roots = rng.choice(len(share), BEARD_HAIRS, p=share / share.sum())
    place = canvas.interpolated(head.vertices)[roots] * 1000
    lie = canvas.normals[roots] * 0.55 + (0, -0.9, 0.1) + rng.normal(0, 0.2, place.shape)
    side = np.sign(place[:, 0]) * (np.abs(place[:, 1] + 38) < 7) * (place[:, 2] > 65)
    lie[:, 0] += 0.9 * side
    lie /= np.linalg.norm(lie, axis=1, keepdims=True)
    long = length * rng.uniform(0.6, 1.2, BEARD_HAIRS) * np.where(side != 0, 0.6, 1.0)
    tones = hair_tone(traits) * np.exp(rng.normal(0, 0.3, (BEARD_HAIRS, 1)))
    return np.stack([place, place + lie * long[:, None]], 1), 0.75, tones, 0.7
