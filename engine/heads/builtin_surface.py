"""The surface of the built-in head: parts grown round the 468 face landmarks, and their atlas.

The face is MediaPipe's tessellation at our own mean positions (face468.npz: landmarks that we
tracked on public footage, lifted to perspective, aligned, averaged and mirrored). Everything else
is shaped here, from anthropometric proportions. Millimetres inside this file, head-space axes.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from . import landmarks as lm
from .surface import Rectangle, Surface, grid_uvs, square_uvs

EYE_CENTRE = np.array([31.2, 14.4, 48.1])  # of the subject's left eye
EYE_RADIUS = 12.0
LID_RADIUS = 13.0  # lids slide just outside the ball, also halfway along a straight path
MOUTH_LINE = -51.3  # height of the closed lips
SKULL_RADII = np.array([81.0, 94.0, 97.5])
SKULL_CENTRE = np.array([0.0, 38.0, -25.0])
NAPE_ANGLE = np.deg2rad(205)  # where the cranium's sweep over the crown ends
SWEEP_RINGS = 16

# Islands of the atlas. The face holds lids, lips and the mouth's inside too.
FACE_BOX: Rectangle = (0.003, 0.383, 0.617, 0.997)
SKULL_BOX: Rectangle = (0.623, 0.623, 0.997, 0.997)
EAR_BOXES: tuple[Rectangle, Rectangle] = ((0.623, 0.457, 0.807, 0.617), (0.813, 0.457, 0.997, 0.617))
EYE_BOXES: tuple[Rectangle, Rectangle] = ((0.623, 0.303, 0.772, 0.451), (0.848, 0.303, 0.997, 0.451))
TONGUE_BOX: Rectangle = (0.778, 0.303, 0.842, 0.451)
UPPER_TEETH_BOX: Rectangle = (0.623, 0.213, 0.997, 0.297)
LOWER_TEETH_BOX: Rectangle = (0.623, 0.123, 0.997, 0.207)
NECK_BOX: Rectangle = (0.003, 0.203, 0.617, 0.377)
SHOULDER_BOX: Rectangle = (0.003, 0.003, 0.617, 0.197)


def face_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 468 neutral positions [468, 3] mm, triangles [852, 3], mirror landmark [468]."""
    with (files(__package__) / "face468.npz").open("rb") as file, np.load(file) as table:
        positions = table["positions"].astype(np.float64) * 1000
        return positions, table["triangles"].astype(np.int64), table["mirror"].astype(np.int64)


def build_surface() -> Surface:
    """All parts of the head, in millimetres."""
    points, triangles, mirror = face_table()
    points = _relaxed(points, mirror)
    surface = Surface()
    surface.add_points("face", points)
    regions = _face_regions(triangles)
    for region in ("skin", "lips", "eyelids"):
        chosen = triangles[regions == region]
        surface.add_triangles(chosen, np.zeros((len(chosen), 3, 2)), region)
    _add_lid_edges(surface, points)
    _add_mouth(surface, points)
    _unwrap_front(surface)
    nape = _add_cranium(surface, points)
    _add_neck(surface, points, nape)
    _add_ears(surface)
    _add_eyeballs(surface)
    _add_teeth(surface)
    _add_tongue(surface)
    return surface


def _relaxed(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Closed lips, lids on the ball; symmetric."""
    points = points.copy()
    for upper, lower in zip(lm.LIPS_INNER[1:10], lm.LIPS_INNER[:10:-1], strict=True):
        middle = (points[upper] + points[lower]) / 2
        for vertex, side in ((upper, 0.12), (lower, -0.12)):
            points[vertex] = middle + (0, side, -1.2)
    for loop, centre in (
        (lm.LIDS_LEFT, EYE_CENTRE),
        (lm.LIDS_RIGHT, EYE_CENTRE * (-1, 1, 1)),
    ):
        ring = points[list(loop)] - centre
        depth = LID_RADIUS**2 - (ring[:, :2] ** 2).sum(-1)
        on_ball = np.sqrt(np.maximum(depth, 0))
        # The corners of the eye lie beside the ball, not on it.
        ring[:, 2] = np.where(depth > 36, np.maximum(on_ball, 6), ring[:, 2])
        points[list(loop)] = ring + centre
    return (points + points[mirror] * (-1, 1, 1)) / 2


def _face_regions(triangles: np.ndarray) -> np.ndarray:
    lips = np.isin(triangles, lm.LIPS_INNER + lm.LIPS_MIDDLE + lm.LIPS_FRONT + lm.LIPS_OUTER)
    rings = lm.LIDS_LEFT + lm.LIDS_RIGHT
    lids = np.isin(triangles, rings + lm.LID_FOLDS_LEFT + lm.LID_FOLDS_RIGHT)
    regions = np.where(lips.all(1), "lips", "skin")
    return np.where(lids.all(1), "eyelids", regions)


def _add_lid_edges(surface: Surface, points: np.ndarray) -> None:
    """The lids' thickness: a rim that runs from each lid's edge back to the ball, under the lid."""
    for side, loop, sign in (("left", lm.LIDS_LEFT, 1.0), ("right", lm.LIDS_RIGHT, -1.0)):
        index = np.array(loop)
        offset = points[index] - EYE_CENTRE * (sign, 1, 1)
        direction = offset / np.linalg.norm(offset, axis=1, keepdims=True)
        # Upper and lower lids overlap the ball; at the corners the rim only meets it.
        direction[:, 1] += 0.2 * np.sign(direction[:, 1]) * np.minimum(np.abs(offset[:, 1]) / 4, 1)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        rim = EYE_CENTRE * (sign, 1, 1) + direction * (EYE_RADIUS + 0.1)
        inner = surface.add_points(f"lid_rim_{side}", rim)
        grid = np.stack([np.append(index, index[0]), np.append(inner, inner[0])])
        surface.add_grid(grid, np.zeros((2, 17, 2)), "eyelids", flip=sign < 0)


def _add_mouth(surface: Surface, points: np.ndarray) -> None:
    """The closed mouth cavity: four rings inwards from the inner lips and a cap."""
    loop = np.array(lm.LIPS_INNER)
    lips = points[loop]
    upper = np.sin(np.pi * np.arange(20) / 10)  # 1 mid upper lip, 0 corners, -1 mid lower lip
    upper = np.sign(upper) * np.sqrt(np.abs(upper))
    rings = [loop]
    for width, height, depth in ((1.05, 4, 3), (1.3, 13, 8), (1.35, 18, 26), (1.0, 15, 48)):
        ring = lips * (width, 1, 1) + np.stack([0 * upper, height * upper, 0 * upper - depth], 1)
        rings.append(surface.add_points(f"mouth_{len(rings)}", ring))
    cap = surface.add_points("mouth_cap", np.array([[0, MOUTH_LINE, 16.0]]))
    rings.append(np.repeat(cap, 20))
    grid = np.stack([np.append(ring, ring[0]) for ring in rings])
    surface.add_grid(grid, np.zeros((*grid.shape, 2)), "mouth")


def _unwrap_front(surface: Surface) -> None:
    """UVs of everything so far: a spring embedding in a rounded square, injective by Tutte's theorem.

    Springs are re-tuned until each edge is about as long as its length in space times the density
    its place deserves; strengths stay positive, which is all that the theorem asks.
    """
    faces = np.concatenate(surface.faces)
    points = np.concatenate(surface.points)
    count = surface.count + 2  # a hub in each eye holds its opening open
    joined = np.zeros((count, count), bool)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        joined[faces[:, a], faces[:, b]] = joined[faces[:, b], faces[:, a]] = True
    hubs = [EYE_CENTRE + (0, 0, EYE_RADIUS), EYE_CENTRE * (-1, 1, 1) + (0, 0, EYE_RADIUS)]
    for hub, side in ((-2, "left"), (-1, "right")):
        rim = surface.parts[f"lid_rim_{side}"]
        joined[hub, rim] = joined[rim, hub] = True
    points = np.concatenate([points, hubs])
    density = _front_density(surface, points)
    wanted = np.linalg.norm(points[:, None] - points[None], axis=-1)
    wanted = np.where(joined, np.maximum(wanted, 0.5) * np.sqrt(density[:, None] * density), 1.0)
    oval = np.array(lm.FACE_OVAL)
    placed = _rounded_square(points[oval])
    strength = joined.astype(float)
    for _ in range(40):
        uvs = _embed(strength, oval, placed)
        length = np.linalg.norm(uvs[:, None] - uvs[None], axis=-1)
        ratio = np.where(joined, length / wanted, 1.0)
        ratio /= np.median(ratio[joined])
        strength *= np.clip(ratio, 0.5, 2.0) ** 0.7
        strength = np.where(joined, np.clip(strength, 1e-4, 1e4), 0)
    uvs = _embed(strength, oval, placed)
    low, high = np.array(FACE_BOX[:2]), np.array(FACE_BOX[2:])
    uvs = low + (uvs + 1) / 2 * (high - low)
    surface.uvs = [uvs[part] for part in surface.faces]


def _front_density(surface: Surface, points: np.ndarray) -> np.ndarray:
    """How much longer than elsewhere an edge should be in the atlas, per point [n]."""
    density = np.ones(len(points))
    for loop, radius, gain in (
        (lm.LIDS_LEFT, 14.0, 1.6),
        (lm.LIDS_RIGHT, 14.0, 1.6),
        (lm.LIPS_FRONT, 14.0, 1.6),
    ):
        ring = points[list(loop)]
        distance = np.linalg.norm(points[:, None] - ring[None], axis=-1).min(1)
        density += gain * np.exp(-((distance / radius) ** 2))
    for ring, gain in ((1, 2.0), (2, 1.2), (3, 0.5), (4, 0.35)):
        density[surface.parts[f"mouth_{ring}"]] = gain
    density[surface.parts["mouth_cap"]] = 0.35
    return density


def _embed(strength: np.ndarray, rim: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """Rest positions [n, 2] of points joined by springs [n, n] when `rim` is held at `placed`."""
    free = np.setdiff1d(np.arange(len(strength)), rim)
    laplacian = np.diag(strength.sum(1)) - strength
    uvs = np.zeros((len(strength), 2))
    uvs[rim] = placed
    known = laplacian[np.ix_(free, rim)] @ placed
    uvs[free] = np.linalg.solve(laplacian[np.ix_(free, free)], -known)
    return uvs


def _rounded_square(oval: np.ndarray) -> np.ndarray:
    """Places [36, 2] in -1..1 of the face oval's points by their share of its length."""
    step = np.linalg.norm(np.diff(oval, axis=0, append=oval[:1]), axis=1)
    half = np.concatenate([[0], np.cumsum(step[:18])]) / step[:18].sum()
    angle = np.pi * np.concatenate([half, 2 - half[17:0:-1]])
    direction = np.stack([np.sin(angle), np.cos(angle)], -1)
    # Exponent 8: nearly square, still strictly convex.
    return direction / (np.abs(direction) ** 8).sum(-1, keepdims=True) ** (1 / 8)


def _add_cranium(surface: Surface, points: np.ndarray) -> np.ndarray:
    """A visor sweep of the forehead's arc over the crown to the nape. Returns the nape row [17]."""
    oval = lm.FACE_OVAL
    arc = np.array(oval[28:] + oval[:9])  # right ear, forehead, left ear
    rim = points[arc]
    radius = np.linalg.norm(rim, axis=1)
    start = np.arctan2(rim[:, 1], rim[:, 2])
    across = rim[:, 0] / radius
    rows = [arc]
    for ring in range(1, SWEEP_RINGS + 1):
        share = ring / SWEEP_RINGS
        angle = start + (NAPE_ANGLE - start) * share
        along = np.sqrt(1 - across**2)
        direction = np.stack([across, along * np.sin(angle), along * np.cos(angle)], 1)
        blend = np.clip(share / 0.3, 0, 1)
        blend = blend * blend * (3 - 2 * blend)
        length = radius + (_skull_distance(direction) - radius) * blend
        new = surface.add_points(f"cranium_{ring}", (direction * length[:, None])[1:-1])
        rows.append(np.concatenate([arc[:1], new, arc[-1:]]))
    grid = np.stack(rows)
    surface.add_grid(grid, grid_uvs(np.linspace(1, 0, len(rows)), 17, SKULL_BOX), "scalp", flip=True)
    return grid[-1]


def _skull_distance(direction: np.ndarray) -> np.ndarray:
    """Distance [n] from the origin to the skull's ellipsoid along unit directions [n, 3]."""
    d, c = direction / SKULL_RADII, SKULL_CENTRE / SKULL_RADII
    a, b, rest = (d * d).sum(-1), d @ c, c @ c - 1
    return (b + np.sqrt(b * b - a * rest)) / a


# Rings below the throat: half width, front and back depth, then height in front, beside, behind.
SHOULDER_RINGS = (
    (57, 50, 52, -125, -125, -125),
    (64, 53, 57, -145, -140, -143),
    (92, 62, 66, -165, -152, -163),
    (138, 76, 74, -190, -164, -185),
    (186, 92, 82, -222, -183, -215),
    (216, 104, 88, -255, -216, -250),
    (227, 112, 92, -292, -262, -290),
    (230, 116, 94, -325, -315, -322),
)
NECK_RINGS = 7
NECK_AXIS_Z = -33.0


def _add_neck(surface: Surface, points: np.ndarray, nape: np.ndarray) -> None:
    """Neck from the jaw's edge and the nape down to the throat, then shoulders and chest."""
    everything = np.concatenate(surface.points)
    oval = lm.FACE_OVAL
    jaw = np.array(oval[28:7:-1])  # right ear, chin, left ear
    loop = np.concatenate([nape[8:0:-1], jaw, nape[15:8:-1]])
    start = everything[loop]
    angle = np.arctan2(start[:, 0], start[:, 2] - NECK_AXIS_Z)
    even = np.arange(36) * 2 * np.pi / 36 - np.pi
    angle = even + 0.5 * ((angle - even + np.pi) % (2 * np.pi) - np.pi)
    angle = (angle - angle[(36 - np.arange(36)) % 36] * 1.0) / 2  # mirror-symmetric
    angle[0] = -np.pi
    throat = _shoulder_ring(angle, SHOULDER_RINGS[0])
    # Under the chin the skin first runs back, beside and behind the head it runs down.
    front = np.clip(np.cos(angle), 0, 1)[:, None] ** 0.7
    leave = front * (0, -0.35, -1.0) + (1 - front) * np.array([0, -1.0, 0])
    leave[:, 0] -= 0.25 * np.sin(angle) * (1 - front[:, 0])
    span = np.linalg.norm(throat - start, axis=1, keepdims=True)
    rows = [loop]
    for ring in range(1, NECK_RINGS):
        t = ring / NECK_RINGS
        place = _hermite(t, start, throat, leave * span * 1.2, np.array([0, -1.0, 0]) * span * 1.2)
        rows.append(surface.add_points(f"neck_{ring}", place))
    for ring, shape in enumerate(SHOULDER_RINGS):
        rows.append(surface.add_points(f"shoulders_{ring}", _shoulder_ring(angle, shape)))
    grid = np.stack([np.append(row, row[0]) for row in rows])
    cut = NECK_RINGS + 1
    surface.add_grid(
        grid[: cut + 1], grid_uvs(np.linspace(0, 1, cut + 1), 37, NECK_BOX), "neck"
    )
    below = len(grid) - cut
    surface.add_grid(grid[cut:], grid_uvs(np.linspace(0, 1, below), 37, SHOULDER_BOX), "shoulders")


def _hermite(
    t: float, start: np.ndarray, end: np.ndarray, leave: np.ndarray, arrive: np.ndarray
) -> np.ndarray:
    a, b = t * t * (3 - 2 * t), t * (1 - t) ** 2
    return start * (1 - a) + end * a + leave * b - arrive * (t * t * (1 - t))


def _shoulder_ring(angle: np.ndarray, shape: tuple[float, ...]) -> np.ndarray:
    width, front, back, y_front, y_side, y_back = shape
    sine, cosine = np.sin(angle), np.cos(angle)
    depth = np.where(cosine > 0, front, back)
    ends = np.where(cosine > 0, y_front, y_back)
    height = y_side + (ends - y_side) * cosine**2
    return np.stack([width * sine, height, NECK_AXIS_Z + depth * cosine], 1)


# The ear from the inside of its bowl outwards, then round its rim and down its back:
# share of the outline, height above the ear's plane, share of the atlas box.
EAR_RINGS = (
    (0.0, -5.0, 0.0), (0.28, -5.5, 0.2), (0.46, -2.5, 0.34), (0.58, 2.2, 0.45), (0.7, 0.6, 0.55),
    (0.84, 0.2, 0.66), (0.93, 2.6, 0.74), (1.0, 1.6, 0.82), (0.97, -1.5, 0.88), (0.8, -5.0, 0.94),
    (0.6, -12.0, 1.0),
)  # fmt: skip
EAR_CENTRE = np.array([77.0, 1.0, -19.0])


def _add_ears(surface: Surface) -> None:
    columns = 20
    angle = 2 * np.pi * np.arange(columns) / columns
    back, up = np.cos(angle), np.sin(angle)
    # Narrow lobe, wide top, straight front edge.
    outline = np.stack([(14.0 + 3.5 * up) * back + 2.0 * up, 31.0 * up], -1)
    outline[:, 0] = np.maximum(outline[:, 0], -11.5)
    tilt, flare = np.deg2rad(12), np.deg2rad(24)
    backwards = np.array([np.sin(flare), 0, -np.cos(flare)])
    outwards = np.array([np.cos(flare), 0, np.sin(flare)])
    upwards = np.array([0.0, 1.0, 0.0])
    backwards, upwards = (
        np.cos(tilt) * backwards - np.sin(tilt) * upwards,
        np.sin(tilt) * backwards + np.cos(tilt) * upwards,
    )
    for side, sign, box in (("left", 1.0, EAR_BOXES[1]), ("right", -1.0, EAR_BOXES[0])):
        rows = []
        for ring, (share, height, _) in enumerate(EAR_RINGS):
            flat = outline[: 1 if ring == 0 else columns] * share
            place = EAR_CENTRE + flat[:, :1] * backwards + flat[:, 1:] * upwards + height * outwards
            row = surface.add_points(f"ear_{side}_{ring}", place * (sign, 1, 1))
            rows.append(np.resize(row, columns + 1) if ring else np.repeat(row, columns + 1))
        uvs = square_uvs([ring[2] for ring in EAR_RINGS], columns, box)
        surface.add_grid(np.stack(rows), uvs, "ears", flip=sign < 0)


# Degrees from the gaze to each ring of the eyeball, and its share of the atlas box.
EYE_RINGS = ((0, 0), (11, 0.2), (20, 0.34), (29.4, 0.48), (40, 0.62), (54, 0.77), (74, 0.88),
             (104, 0.95), (142, 0.98), (180, 1))  # fmt: skip
IRIS_RING = 3
EYE_COLUMNS = 16


def _add_eyeballs(surface: Surface) -> None:
    angle = 2 * np.pi * np.arange(EYE_COLUMNS) / EYE_COLUMNS
    for side, sign, box in (("left", 1.0, EYE_BOXES[1]), ("right", -1.0, EYE_BOXES[0])):
        rows = []
        for ring, (degrees, _) in enumerate(EYE_RINGS):
            theta = np.deg2rad(degrees)
            turn = angle[:1] if degrees in (0, 180) else angle
            direction = np.stack(
                [np.sin(theta) * np.cos(turn), np.sin(theta) * np.sin(turn), np.cos(theta) + 0 * turn],
                1,
            )
            place = (EYE_CENTRE + EYE_RADIUS * direction) * (sign, 1, 1)
            row = surface.add_points(f"eye_{side}_{ring}", place)
            rows.append(np.resize(row, EYE_COLUMNS + 1))
        uvs = square_uvs([share for _, share in EYE_RINGS], EYE_COLUMNS, box)
        surface.add_grid(np.stack(rows), uvs, "eyeballs", flip=sign < 0)


# Rows of an arch from the gum to the edge and round behind it: height above the lip line, depth.
UPPER_TEETH = ((15, -3.0), (9, 0.0), (5, 0.9), (1, 0.7), (-1.2, 0.0), (-0.8, -2.6), (6, -6.0))
LOWER_TEETH = ((6, -8.0), (0.6, -5.4), (0.4, -3.0), (-1.5, -2.4), (-5, -2.4), (-9, -3.2), (-15, -6.0))


def _add_teeth(surface: Surface) -> None:
    turn = np.deg2rad(np.linspace(-78, 78, 25))
    for name, rows, box in (
        ("upper", UPPER_TEETH, UPPER_TEETH_BOX),
        ("lower", LOWER_TEETH, LOWER_TEETH_BOX),
    ):
        grid = []
        for row, (height, depth) in enumerate(rows):
            x = (27.0 + depth) * np.sin(turn)
            z = 69.0 - 40.0 + (40.0 + depth) * np.cos(turn)
            place = np.stack([x, MOUTH_LINE + height + 0 * x, z], 1)
            grid.append(surface.add_points(f"teeth_{name}_{row}", place))
        uvs = grid_uvs(np.linspace(0, 1, len(rows)), 25, box)
        surface.add_grid(np.stack(grid), uvs, "teeth")


def _add_tongue(surface: Surface) -> None:
    """A soft wedge between the lower teeth: from the root along its back, round the tip, under."""
    across = np.linspace(-1, 1, 9)
    profile = ((22, -58, 17), (32, -54.5, 18), (42, -54, 18), (52, -56, 16.5), (59, -58.5, 13),
               (62, -61, 9), (58, -64, 11), (46, -66, 15))  # fmt: skip
    rows = []
    for ring, (z, y, width) in enumerate(profile):
        dome = 3.0 * (1 - across**2) - 3.0 * across**4
        groove = -1.0 * np.exp(-((across / 0.25) ** 2))
        place = np.stack([width * across, y + dome + groove, z - 4 * across**2], 1)
        rows.append(surface.add_points(f"tongue_{ring}", place))
    surface.add_grid(np.stack(rows), grid_uvs(np.linspace(0, 1, 8), 9, TONGUE_BOX), "tongue")
