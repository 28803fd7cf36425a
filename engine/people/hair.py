"""Hair: strands grown from the scalp, combed, weighed down, curled, and kept out of head and face.

Works in millimetres of the person's own neutral head. A strand is a lock of many hairs, for at
the size of the pictures no single hair shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..api.head import HeadModel
from .noise import linear, octaves, smoothstep, waves
from .strands import Strands, polylines
from .traits import Traits

SKULL_CENTRE = np.array([0.0, 38.0, -25.0])
HAIRLINE = ((-130, -60, -30, -12, 0, 14, 30, 48, 66), (-52, -46, -22, 12, 4, 22, 47, 66, 82))
"""The lower edge of the hair: z from nape to forehead, and y there."""
KNOT = np.array([0.0, 55.0, -118.0])  # where tied hair is held together


@dataclass(frozen=True)
class Cut:
    """A haircut. Lengths in millimetres."""

    strands: int
    pieces: int
    length: tuple[float, float]
    sides: float  # length of the sides and the back, of the top's
    lift: float  # how far the hair stands off the skull
    comb: str  # down, back, side, forward, away, knot
    curl: float = 0.0  # radius of the curls
    face: bool = False  # whether the front falls over the forehead
    loose: float = 0.15  # how freely it stands above its layer
    stiffness: float = 0.35


CUTS = {
    "buzz": Cut(3500, 1, (4, 9), 0.8, 2, "away", loose=1),
    "short": Cut(3200, 3, (18, 48), 0.55, 7, "forward", face=True),
    "parted": Cut(3000, 5, (45, 80), 0.4, 9, "side"),
    "swept": Cut(3000, 5, (45, 90), 0.35, 14, "back"),
    "bob": Cut(2200, 12, (150, 210), 0.8, 12, "down"),
    "fringe": Cut(2200, 12, (140, 260), 0.8, 11, "down", face=True),
    "long": Cut(2000, 18, (260, 380), 0.85, 13, "down"),
    "tied": Cut(2400, 10, (150, 190), 0.9, 4, "knot"),
    "curly": Cut(2000, 10, (70, 200), 0.9, 20, "down", curl=8, loose=0.4),
    "afro": Cut(3600, 4, (25, 75), 0.85, 30, "away", curl=7, loose=1, stiffness=0.55),
}


def hairline_share(traits: Traits, points: np.ndarray) -> np.ndarray:
    """How hairy the scalp is at points [n, 3] mm, 0..1."""
    rng = np.random.default_rng([traits.seed, 6])
    if traits.haircut == "bald" and traits.age < 0.35:
        return np.zeros(len(points))
    z, y = HAIRLINE
    edge = np.interp(points[:, 2], z, y) + rng.normal(0, 5) * smoothstep(points[:, 2], 20, 60)
    masculine = 1 - traits.femininity
    recession = masculine * max(0.0, traits.age - 0.25 + rng.normal(0, 0.15)) * 34
    temple = smoothstep(np.abs(points[:, 0]), 8, 40)
    edge += recession * smoothstep(points[:, 2], 10, 45) * (0.35 + 0.65 * temple)
    edge += 2.5 * waves(rng, points, 14)
    share = smoothstep(points[:, 1] - edge, -3, 4)
    share = share * (points[:, 2] < 75)
    if traits.haircut == "bald":  # the wreath of hair that is left
        share = share * (1 - smoothstep(points[:, 1], 45, 65)) * 0.6
    return share


def hair_tone(traits: Traits) -> np.ndarray:
    """Linear albedo [3]."""
    return linear(traits.hair)


def grow_hair(traits: Traits, head: HeadModel) -> Strands | None:
    """The hair of a person, or None."""
    cut = CUTS.get(traits.haircut)
    if cut is None:
        return None
    rng = np.random.default_rng([traits.seed, 7])
    roots, normals = _roots(traits, head, cut.strands, rng)
    skull = _Skull(head)
    length = _lengths(cut, roots, rng)
    paths = _grown(cut, roots, normals, length, skull, traits, rng)
    if cut.comb == "knot":
        paths = np.concatenate([paths, _tail(paths.shape[1], rng)])
    return _locks(cut, paths, skull, traits, rng)


class _Skull:
    """The ellipsoid that hair lies on."""

    def __init__(self, head: HeadModel) -> None:
        scalp = np.unique(head.faces[head.face_regions == head.region_names.index("scalp")])
        points = head.vertices[scalp] * 1000
        high, low = points.max(0), points.min(0)
        self.centre = SKULL_CENTRE
        _, up, back = SKULL_CENTRE
        self.radii = np.array([(high[0] - low[0]) / 2, high[1] - up, back - low[2]])

    def outward(self, points: np.ndarray) -> np.ndarray:
        normal = (points - self.centre) / self.radii**2
        return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)

    def height(self, points: np.ndarray) -> np.ndarray:
        """About how many mm points [n, 3] lie outside."""
        relative = np.linalg.norm((points - self.centre) / self.radii, axis=-1)
        return (relative - 1) * self.radii.mean()

    def held(self, points: np.ndarray, layer: np.ndarray, loosely: float) -> np.ndarray:
        """Points moved to about `layer` [n] mm above it: out of it always, and down to it as far as
        they are over the head and not `loosely` (0..1) held."""
        missing = layer - self.height(points)
        over = smoothstep(points[:, 1], 0, 60) * (1 - loosely)
        shift = np.where(missing > 0, missing * (points[:, 1] > -30), missing * over)
        radial = points - self.centre
        radial /= np.linalg.norm(radial, axis=1, keepdims=True)
        return points + radial * shift[:, None]


def _roots(
    traits: Traits, head: HeadModel, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Roots [n, 3] mm where hair grows, and the skin's normals there."""
    regions = [head.region_names.index(name) for name in ("scalp", "skin")]
    faces = head.faces[np.isin(head.face_regions, regions)]
    corners = head.vertices[faces] * 1000
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    hairy = hairline_share(traits, corners.mean(1))
    weight = area * (hairy > 0.02)
    chosen = rng.choice(len(faces), count, p=weight / weight.sum())
    barycentric = rng.dirichlet((1, 1, 1), count)
    roots = (corners[chosen] * barycentric[..., None]).sum(1)
    kept = rng.uniform(size=count) < hairline_share(traits, roots)
    return roots[kept], (cross / area[:, None])[chosen][kept]


def _lengths(cut: Cut, roots: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Length [n] of each strand: the top is longest, one person's cut is of one length."""
    top = smoothstep(roots[:, 1], 55, 95)
    wanted = rng.uniform(*cut.length) * (cut.sides + (1 - cut.sides) * top)
    front = _over_the_forehead(cut, roots) * rng.uniform(28, 42)
    wanted = np.where(front > 0, np.minimum(wanted, front), wanted)
    return wanted * rng.uniform(0.75, 1.1, len(roots))


def _over_the_forehead(cut: Cut, roots: np.ndarray) -> np.ndarray:
    """Which strands [n] are those of a fringe."""
    return (roots[:, 2] > 28) & (np.abs(roots[:, 0]) < 58) & cut.face


def _grown(
    cut: Cut, roots: np.ndarray, normals: np.ndarray, length: np.ndarray, skull: _Skull,
    traits: Traits, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Strands [n, K + 1, 3] mm."""
    n = len(roots)
    part = rng.choice([-1, 1]) * rng.uniform(0, 28) * (cut.comb != "down" or rng.uniform() < 0.6)
    layer = 1 + rng.uniform(0, 1, n) ** 0.7 * cut.lift * rng.uniform(0.7, 1.4)
    step = (length / cut.pieces)[:, None]
    sway = np.stack([octaves(rng, roots, 60, 25) for _ in range(3)], 1)
    phase, turn = rng.uniform(0, 6.3, n), rng.uniform(0.9, 1.6, n)
    forehead = _over_the_forehead(cut, roots)[:, None]
    direction, points = normals * (2.0 if cut.comb == "away" else 0.5), [roots]
    for k in range(cut.pieces):
        here = points[-1]
        combed = _combed(cut, here, roots, part, skull) + 0.2 * sway
        outward = skull.outward(here)
        combed = combed - np.clip((combed * outward).sum(1, keepdims=True), None, 0) * outward
        direction = cut.stiffness * direction + (1 - cut.stiffness) * combed
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
        there = skull.held(here + direction * step, layer * smoothstep(k + 1, -1, 2), cut.loose)
        points.append(np.where(forehead, there, _off_the_face(there)))
    paths = np.stack(points, 1)
    if cut.curl:
        angle = phase[:, None] + turn[:, None] * np.arange(cut.pieces + 1) * 1.7
        grow = np.minimum(np.arange(cut.pieces + 1) / 2, 1)
        circle = np.stack([np.cos(angle), 0.5 * np.sin(1.3 * angle), np.sin(angle)], -1)
        paths = paths + cut.curl * grow[:, None] * circle
    return paths


def _combed(
    cut: Cut, here: np.ndarray, roots: np.ndarray, part: float, skull: _Skull
) -> np.ndarray:
    """The way [n, 3] that the hair is led at each point."""
    down = np.array([0.0, -1.0, 0.0])
    away = np.sign(roots[:, :1] - part) * (1.0, 0, 0)
    top = smoothstep(skull.outward(here)[:, 1], 0.35, 0.9)[:, None]
    if cut.comb == "away":
        return skull.outward(here)
    if cut.comb == "knot":
        pull = KNOT - here
        return pull / np.maximum(np.linalg.norm(pull, axis=1, keepdims=True), 12)
    if cut.comb == "forward":
        return top * (0.2, 0.0, 1.0) + (1 - top) * np.where(
            roots[:, 2:] > 20, (0.15, -0.8, 0.3), down
        )
    if cut.comb == "back":
        return top * (0.0, 0.1, -1.0) + (1 - top) * (0.0, -0.7, -0.7)
    if cut.comb == "side":
        return (
            top * (np.sign(part or 1) * np.array([-1.0, 0, 0.0]) + (0, 0, 0.25)) + (1 - top) * down
        )
    front = smoothstep(roots[:, 2], 10, 45)[:, None]
    if cut.face:
        return (
            top * (0.15 * away + front * (0.0, -0.3, 1.0) + (1 - front) * away) + (1 - top) * down
        )
    return top * (away + front * (0.0, -0.1, -0.4)) + (1 - top) * down


def _off_the_face(points: np.ndarray) -> np.ndarray:
    """Hair that would hang over the face is put beside it."""
    before = smoothstep(points[:, 2], 5, 35) * (1 - smoothstep(points[:, 1], 45, 75))
    side = np.where(points[:, 0] >= 0, 1.0, -1.0)
    beside = np.maximum(np.abs(points[:, 0]), 68 + 6 * smoothstep(-points[:, 1], 0, 80))
    moved = points.copy()
    moved[:, 0] += before * (side * beside - points[:, 0])
    moved[:, 2] -= before * 0.35 * np.maximum(points[:, 2] - 10, 0)
    return moved


def _tail(pieces: int, rng: np.random.Generator, count: int = 260) -> np.ndarray:
    """A bun or a ponytail [count, K + 1, 3] at the knot."""
    t = np.linspace(0, 1, pieces)[None, :, None]
    spread = rng.normal(size=(count, 1, 3))
    if rng.uniform() < 0.5:
        spread /= np.linalg.norm(spread, axis=-1, keepdims=True)
        angle = rng.uniform(0, 6.3, (count, 1, 1)) + 3 * t
        radius = rng.uniform(20, 32)
        ring = np.concatenate([np.cos(angle), np.sin(angle), 0.3 * np.sin(2 * angle)], -1)
        return KNOT + (0, 12, -14) + radius * (0.55 * spread + 0.6 * ring)
    fall = np.array([0, -rng.uniform(120, 220), -25.0])
    return KNOT + (0, 0, -6) + t * fall + (6 + 16 * np.sin(np.pi * t)) * spread * (1, 0.3, 1)


def _locks(
    cut: Cut, paths: np.ndarray, skull: _Skull, traits: Traits, rng: np.random.Generator
) -> Strands:
    """Colour, width and light of the strands."""
    s, k = paths.shape[0], paths.shape[1] - 1
    middle = (paths[:, :-1] + paths[:, 1:]) / 2
    tone = hair_tone(traits) * np.exp(rng.normal(0, 0.28, (s, 1)))
    grey = (rng.uniform(size=s) < 0.5 * max(0.0, traits.age - 0.35))[:, None]
    tone = np.where(grey, linear(np.array([0.6, 0.6, 0.6])), tone)
    along = np.linspace(0.8, 1.15, k)[None, :, None]
    depth = skull.height(middle.reshape(-1, 3)).reshape(s, k, 1)
    buried = 0.45 + 0.55 * smoothstep(depth, 0, max(cut.lift, 4) * 0.8)
    below = middle[..., 1:2] < -30
    shade = np.where(below, 0.75 + 0.25 * rng.uniform(size=(s, 1, 1)), buried)
    outward = skull.outward(middle)
    level = np.where(below, outward * (1, 0, 1), outward)
    level /= np.maximum(np.linalg.norm(level, axis=-1, keepdims=True), 1e-6)
    width = rng.uniform(1.0, 1.9, s) * (0.8 if cut.pieces == 1 else 1.0)
    shine = 0.15 if cut.curl or cut.pieces == 1 else rng.uniform(0.2, 0.5)
    return polylines(paths / 1000, width / 1000, tone[:, None] * along * shade, level, shine, 0.85)
