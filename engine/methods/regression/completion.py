"""Colours for what no picture shows: the other side, the back of the head, the inside of the mouth.

Seen colours are kept; between and beyond them the smoothest continuation is found whose detail is
that of the mirror image, where the mirror image was seen: Poisson image editing (Perez et al. 2003,
eq. 4) on the graph of neighbouring Gaussians. Light that falls from one side stays there; an ear, a
brow or a mole in shadow is taken from across. Eyes are completed round their axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ...api.baked import COLORS, BakedAvatar
from ...api.head import JOINTS, HeadModel
from ...levels import places
from ..region_priors import TINTS
from .sheet import in_sheet

NEIGHBOURS = 8
LENDS = 0.5
"""Trust from which a colour lends its detail to its mirror image."""
KEPT = 3.0
"""How strongly a colour of trust 1/2 holds against one neighbour; more trust holds far more."""
FEW = 30
"""Fewer seen Gaussians of a kind do not say what is usual there."""
TINTED = 0.05
"""The same of a tint, on what was not seen."""
HAIRY = 0.3
"""The same of hair, on a scalp that was not seen: hair ends within a few Gaussians."""
USUAL = 4e-3
"""The same of a region's usual colour: what is far from all that was seen comes near it."""
CROWN = 75
"""Percentile of the scalp's height from which on it is hair, if there is any."""
MEETING = (("neck", "shoulders"), ("neck", "skin"), ("neck", "ears"))
"""Different kinds that lend each other colour: a neck is bare above and dressed below."""
BRIGHT = 0.6
"""Brightness of skin in the light for which the tints were made."""
RINGS = 24
"""Steps of an eye's profile from its axis to half way round it."""


@dataclass(frozen=True)
class Surface:
    """The n Gaussians of an avatar that lie on its head, and which of them are neighbours."""

    index: np.ndarray  # [n] among all
    names: np.ndarray  # [n] region of each
    kind: np.ndarray  # [n] regions of one kind share colours
    place: np.ndarray  # [n, 3] metres on the neutral head, grown
    edges: np.ndarray  # [E, 2]
    mirror: np.ndarray  # [n] the Gaussian nearest to the mirror image
    head: HeadModel


def surface_of(baked: BakedAvatar) -> Surface:
    """The surface of an avatar; its sheet is none."""
    head, index = baked.head, np.flatnonzero(~in_sheet(baked.binding))
    region = head.face_regions[baked.binding.face[index]]
    names = np.array(head.region_names)[region]
    kind = np.array([_kind(name) for name in head.region_names])[region]
    place = places(head, baked.binding)[index]
    # Kinds are metres apart in the tree.
    tree = cKDTree(np.column_stack([place, kind]))
    near = tree.query(np.column_stack([place, kind]), k=NEIGHBOURS + 1)[1][:, 1:]
    pairs = np.column_stack([np.repeat(np.arange(len(index)), NEIGHBOURS), near.ravel()])
    pairs = np.concatenate([pairs[kind[pairs[:, 0]] == kind[pairs[:, 1]]], _meetings(names, place)])
    edges = np.unique(np.sort(pairs, axis=1), axis=0)
    mirror = tree.query(np.column_stack([place * [-1, 1, 1], kind]))[1]
    return Surface(index, names, kind, place, edges, mirror, head)


def recoloured(
    baked: BakedAvatar, surface: Surface, colours: np.ndarray, trust: np.ndarray
) -> BakedAvatar:
    """The avatar in `colours` [N, 3], completed where `trust` [N] in them is small."""
    base = baked.base.copy()
    base[:, COLORS] = np.clip(colours, 0, 1)
    mine = surface.index
    hair = _hair(baked, colours, trust)
    base[mine, COLORS] = completed(surface, colours[mine], trust[mine], hair)
    return replace(baked, base=base)


def completed(
    surface: Surface, colours: np.ndarray, trust: np.ndarray, hair: np.ndarray | None = None
) -> np.ndarray:
    """Colours [n, 3] of the surface, those of little `trust` [n] 0..1 replaced; `hair` [3] is known
    where the top of the head is seen."""
    target, keep = colours.astype(np.float64), KEPT * trust / (1.02 - trust)
    light = _light(surface, colours, trust)
    tints = [(name, np.array(tint) * light, TINTED) for name, tint in TINTS.items()]
    if hair is not None:
        tints.append(("scalp", hair, HAIRY))
    for name, tint, held in tints:
        mine = surface.names == name
        wanted = np.broadcast_to(tint, (mine.sum(), 3))
        if name == "eyeballs":
            wanted = _round_eyes(surface, mine, colours, trust, wanted)
        share = (keep[mine] / (keep[mine] + held))[:, None]
        target[mine] = share * target[mine] + (1 - share) * wanted
        keep[mine] += held
    return np.clip(_poisson(surface, target, keep, trust), 0, 1).astype(np.float32)


def _hair(baked: BakedAvatar, colours: np.ndarray, trust: np.ndarray) -> np.ndarray | None:
    """The colour [3] of the hair as the top of the head has it, shine aside; none where too little
    of that is seen. What a picture from the front shows of the scalp is half forehead, and a sheet
    of hair that stands off hides the top of it: the sheet's own colours count."""
    names = np.array(baked.head.region_names)[baked.head.face_regions[baked.binding.face]]
    scalp = names == "scalp"
    height = places(baked.head, baked.binding)[:, 1]
    if not scalp.any():
        return None
    top = scalp & (height > np.percentile(height[scalp], CROWN)) & (trust > LENDS)
    if top.sum() < FEW:
        return None
    brightness = colours[top].mean(-1)
    return np.median(colours[top][brightness <= np.median(brightness)], axis=0)


def _poisson(
    surface: Surface, target: np.ndarray, keep: np.ndarray, trust: np.ndarray
) -> np.ndarray:
    """The colours that stay near `target` [N, 3] as `keep` [N] says and have the guide's edges."""
    count, (i, j) = len(target), surface.edges.T
    system = _laplacian(count, i, j) + diags(keep + USUAL)
    guide = _guide(surface, target, trust)
    right = keep[:, None] * target + USUAL * _usual(surface, target, trust)
    for channel in range(3):
        right[:, channel] += np.bincount(i, guide[:, channel], count)
        right[:, channel] -= np.bincount(j, guide[:, channel], count)
    return splu(csc_matrix(system)).solve(right)


def _usual(surface: Surface, target: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """The median of the seen colours of each Gaussian's kind [N, 3]; of all where few were seen."""
    seen = trust > LENDS
    usual = np.tile(
        np.median(target[seen], axis=0) if seen.any() else target.mean(0), (len(target), 1)
    )
    for kind in np.unique(surface.kind):
        mine = surface.kind == kind
        if (mine & seen).sum() >= FEW:
            usual[mine] = np.median(target[mine & seen], axis=0)
    return usual


def _guide(surface: Surface, target: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Wanted differences [E, 3] of colour: seen ones, else those of the mirror image, else none."""
    i, j = surface.edges.T
    other_i, other_j = surface.mirror[i], surface.mirror[j]
    seen = np.minimum(trust[i], trust[j])[:, None] > LENDS
    across = np.minimum(trust[other_i], trust[other_j])[:, None] > LENDS
    mirrored = np.where(across, target[other_i] - target[other_j], 0.0)
    return np.where(seen, target[i] - target[j], mirrored)


def _laplacian(count: int, i: np.ndarray, j: np.ndarray) -> csc_matrix:
    ones = np.ones(len(i))
    adjacency = coo_matrix((ones, (i, j)), shape=(count, count))
    adjacency = (adjacency + adjacency.T).tocsc()
    return diags(np.asarray(adjacency.sum(0)).ravel()) - adjacency


def _kind(name: str) -> int:
    """Regions of one kind share colours; metres apart in the tree of neighbours."""
    kinds = ("scalp", "shoulders", "neck", *TINTS)
    return kinds.index(name) + 1 if name in kinds else 0


def _meetings(names: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Neighbouring pairs [n, 2] of the kinds that meet."""
    found = [np.zeros((0, 2), np.int64)]
    for first, second in MEETING:
        one, other = np.flatnonzero(names == first), np.flatnonzero(names == second)
        if not len(one) or not len(other):
            continue
        distance, nearest = cKDTree(place[other]).query(place[one])
        close = distance < 2 * np.median(distance.clip(1e-4, 5e-3))
        found.append(np.column_stack([one[close], other[nearest[close]]]))
    return np.concatenate(found)


def _light(surface: Surface, colours: np.ndarray, trust: np.ndarray) -> float:
    """How bright the pictures are, by their skin: 1 in the light of the tints."""
    skin = (surface.names == "skin") & (trust > LENDS)
    if not skin.any():
        return 1.0
    return float(np.clip(np.median(colours[skin].mean(-1)) / BRIGHT, 0.4, 1.3))


def _round_eyes(
    surface: Surface, mine: np.ndarray, colours: np.ndarray, trust: np.ndarray, tint: np.ndarray
) -> np.ndarray:
    """Colours [n, 3] of eyeballs as their seen part has them at the same angle from the axis; the
    tint beyond. Both eyes teach one profile."""
    place = surface.place[mine]
    joints = surface.head.joint_positions[[JOINTS.index("eye_left"), JOINTS.index("eye_right")]]
    out = place - joints[(place[:, 0] < joints.mean(0)[0]).astype(int)]
    angle = np.arccos(np.clip(out[:, 2] / np.linalg.norm(out, axis=-1).clip(1e-6), -1, 1))
    ring = np.minimum((angle / (np.pi / 2) * RINGS).astype(int), RINGS - 1)
    weight = np.bincount(ring, trust[mine], RINGS)
    profile = np.full((RINGS, 3), np.nan)
    told = weight > 1.0
    for channel in range(3):
        total = np.bincount(ring, trust[mine] * colours[mine, channel], RINGS)
        profile[told, channel] = total[told] / weight[told]
    return np.where(told[ring, None], profile[ring], tint)
