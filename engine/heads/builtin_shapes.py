"""The 52 ARKit expressions of the built-in head: the sculpting table, the jaw and the lids.

Handles are carried to the rest of the skin by the smoothest displacement that meets them (least
squared graph Laplacian, i.e. a discrete biharmonic spline), which never leaks from one lip to the
other across the closed mouth. Millimetres.
"""

from __future__ import annotations

import numpy as np

from . import landmarks as lm
from .builtin_proportions import EYE_CENTRE, JAW_HINGE, LID_RADIUS, NECK_RINGS
from .sculpt_table import (
    BOTH,
    JAW_SHARES,
    JAW_SHARES_OF_LIPS,
    LEFT,
    MOUTH_LEFT,
    UNDER_EYE_LEFT,
    Sculpt,
    Shift,
)
from .surface import Surface

JAW_OPEN_ANGLE = np.deg2rad(18.0)  # about 28 mm at the chin

EXPRESSIONS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft",
    "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

LIP_LOOPS = np.array([lm.LIPS_INNER, lm.LIPS_MIDDLE, lm.LIPS_FRONT, lm.LIPS_OUTER])
# How far each ring of the mouth's inside follows its lip; the rest of it follows skull or jaw.
RING_FOLLOWS = {"mouth_1": 0.85, "mouth_2": 0.4, "mouth_3": 0.1, "mouth_4": 0.0}

# How far the upper and the lower lid close (share of the opening), and a sideways shift in mm.
LIDS = {
    "eyeBlink": (0.86, 0.14, 0.0),
    "eyeSquint": (0.04, 0.12, -0.2),
    "eyeWide": (-0.3, -0.08, 0.0),
    "eyeLookUp": (-0.2, 0.04, 0.0),
    "eyeLookDown": (0.42, -0.14, 0.0),
    "eyeLookIn": (0.0, 0.0, -0.7),
    "eyeLookOut": (0.0, 0.0, 0.7),
}


class Sculptor:
    """Carries handles to the skin (face and neck) and then to what hangs on it."""

    def __init__(self, surface: Surface, mirror: np.ndarray) -> None:
        self.points, self.faces, _ = surface.arrays()
        self.parts, self.mirror = surface.parts, mirror
        neck = [surface.parts[f"neck_{k}"] for k in range(1, NECK_RINGS)]
        self.skin = np.concatenate([surface.parts["face"], *neck])
        self.energy = self._smoothness()
        self.jaw = self._jaw_weights()

    def _smoothness(self) -> np.ndarray:
        """Squared graph Laplacian [n, n] over the skin; the rest of the head is held still."""
        count = len(self.points)
        adjacent = np.zeros((count, count))
        for a, b in ((0, 1), (1, 2), (2, 0)):
            adjacent[self.faces[:, a], self.faces[:, b]] = 1
        adjacent = np.maximum(adjacent, adjacent.T)
        for name, index in self.parts.items():
            if name.startswith(("mouth", "lid_rim")):
                adjacent[:, index] = 0  # they follow the skin, not the other way round
        adjacent = adjacent[self.skin]
        degree = adjacent.sum(1)
        laplacian = np.diag(degree) - adjacent[:, self.skin]
        laplacian /= degree[:, None]
        return laplacian.T @ laplacian

    def spread(self, handles: dict[int, np.ndarray], reach: float) -> np.ndarray:
        """The smoothest field [V, d] that meets the handles and dies at `reach` mm from them."""
        keys = np.array(list(handles))
        values = np.array([handles[key] for key in keys], float)
        moving = keys[np.abs(values).sum(-1) > 0]
        skin = self.points[self.skin]
        distance = np.linalg.norm(skin[:, None] - self.points[moving][None], axis=-1).min(1)
        fixed = (distance > reach) | np.isin(self.skin, keys)
        target = np.zeros((len(self.points), values.shape[1]))
        target[keys] = values
        known = target[self.skin[fixed]]
        free = ~fixed
        solved = np.linalg.solve(
            self.energy[np.ix_(free, free)], -self.energy[np.ix_(free, fixed)] @ known
        )
        target[self.skin[free]] = solved
        return target

    def _jaw_weights(self) -> np.ndarray:
        """Share [V] of the jaw's motion that each point takes."""
        handles: dict[int, np.ndarray] = {}
        for column in range(20):
            across = column if 5 <= column <= 15 else (10 - column) % 20
            for loop in LIP_LOOPS:
                handles[int(loop[column])] = np.array([JAW_SHARES_OF_LIPS.get(across, 0.0)])
        for vertex, share in JAW_SHARES.items():
            handles[vertex] = handles[int(self.mirror[vertex])] = np.array([float(share)])
        field = np.clip(self.spread(handles, 42.0)[:, 0], 0, 1)
        for name, index in self.parts.items():
            if name.startswith(("teeth_lower", "tongue")):
                field[index] = 1.0
        for name, follows in RING_FOLLOWS.items():
            floor = np.clip(-np.sin(np.pi * np.arange(20) / 10) * 1.6, 0, 1)
            lips = field[np.array(lm.LIPS_INNER)]
            field[self.parts[name]] = follows * lips + (1 - follows) * floor
        field[self.parts["mouth_cap"]] = 0.3
        return field

    def carried(self, field: np.ndarray) -> np.ndarray:
        """A skin field [V, 3] with the mouth's inside and the lids' rims following."""
        for name, follows in RING_FOLLOWS.items():
            field[self.parts[name]] = follows * field[np.array(lm.LIPS_INNER)]
        for side, loop in (("left", lm.LIDS_LEFT), ("right", lm.LIDS_RIGHT)):
            field[self.parts[f"lid_rim_{side}"]] = field[np.array(loop)]
        return field

    def sculpted(self, sculpt: Sculpt, *, both_sides: bool = False) -> np.ndarray:
        """The field [V, 3] of a sculpt; a point of its own goes before the lips' interpolation."""
        handles: dict[int, np.ndarray] = {}
        if sculpt.lips:
            for loop, shifts in zip(LIP_LOOPS, self._lip_shifts(sculpt), strict=True):
                handles |= {int(vertex): shift for vertex, shift in zip(loop, shifts, strict=True)}
        own = {vertex: np.array(shift) for vertex, shift in sculpt.points.items()}
        if both_sides:
            own = {int(self.mirror[v]): shift * (-1, 1, 1) for v, shift in own.items()} | own
        return self.carried(self.spread(handles | own, sculpt.reach))

    @staticmethod
    def _lip_shifts(sculpt: Sculpt) -> np.ndarray:
        """Shifts [4, 20, 3] of the lip loops, from inner to outer."""
        places = np.array(sorted(sculpt.lips))
        known = np.array([sculpt.lips[place] for place in places])
        columns = np.arange(20)
        shifts = np.stack([np.interp(columns, places, axis, period=20) for axis in known.T], -1)
        together = (shifts + shifts[(20 - columns) % 20]) / 2
        # The lips' contact reaches one loop forwards, half as strictly.
        seal = np.array([1.0, 0.7, 0.3, 0.0])[:, None, None] * sculpt.sealed
        return shifts + seal * (together - shifts)

    def jaw_motion(self, turn: float = 0.0, shift: Shift = (0, 0, 0)) -> np.ndarray:
        """The field [V, 3] of a jaw turned by `turn` radians about its hinge and shifted by mm."""
        offset = self.points - JAW_HINGE
        cosine, sine = np.cos(turn), np.sin(turn)
        y = cosine * offset[:, 1] - sine * offset[:, 2]
        z = sine * offset[:, 1] + cosine * offset[:, 2]
        motion = np.stack([offset[:, 0], y, z], 1) - offset + shift
        return motion * self.jaw[:, None]

    def lids(self, upper: float, lower: float, sideways: float) -> np.ndarray:
        """The left lids closed by shares of the opening along the ball, and shifted sideways."""
        loop = np.array(lm.LIDS_LEFT)
        handles = {int(loop[0]): np.zeros(3), int(loop[8]): np.zeros(3)}
        for below, above in zip(loop[1:8], loop[:8:-1], strict=True):
            gap = self.points[above, 1] - self.points[below, 1]
            for vertex, lift in ((above, -upper * gap), (below, lower * gap)):
                place = self.points[vertex] - EYE_CENTRE + (sideways, lift, 0)
                # Keep the distance to the middle of the ball; beside the ball keep some depth.
                reach = np.sum((self.points[vertex] - EYE_CENTRE) ** 2)
                place[2] = np.sqrt(max(reach - place[0] ** 2 - place[1] ** 2, 9.0))
                handles[int(vertex)] = place + EYE_CENTRE - self.points[vertex]
        field = self.spread(handles, 16.0)
        return self.carried(self.off_the_ball(field))

    def off_the_ball(self, field: np.ndarray) -> np.ndarray:
        """Push what a field would carry into the left eyeball back out to where lids slide."""
        face = self.parts["face"]
        rest = self.points[face] - EYE_CENTRE
        limit = np.minimum(LID_RADIUS, np.linalg.norm(rest, axis=1, keepdims=True))
        place = rest + field[face]
        distance = np.linalg.norm(place, axis=1, keepdims=True)
        short = (distance < limit) & (place[:, 2:] > 0)
        field[face] += np.where(short, place * (limit / distance - 1), 0)
        return field

    def mirrored(self, field: np.ndarray) -> np.ndarray:
        return field[self.mirror] * (-1, 1, 1)


def expression_deltas(surface: Surface, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacements [52, V, 3] mm in the order of EXPRESSIONS, and the jaw's weights [V]."""
    sculptor = Sculptor(surface, mirror)
    made: dict[str, np.ndarray] = {}
    for name, sculpt in LEFT.items():
        made[name + "Left"] = sculptor.sculpted(sculpt)
    for name, lids in LIDS.items():
        made[name + "Left"] = sculptor.lids(*lids)
    made["eyeSquintLeft"] = sculptor.carried(
        sculptor.off_the_ball(made["eyeSquintLeft"] + sculptor.sculpted(UNDER_EYE_LEFT))
    )
    made["mouthLeft"] = sculptor.sculpted(MOUTH_LEFT)
    made["jawLeft"] = sculptor.jaw_motion(shift=(8.0, 0, 0))
    for name in list(made):
        made[name.replace("Left", "Right")] = sculptor.mirrored(made[name])
    for name, sculpt in BOTH.items():
        field = sculptor.sculpted(sculpt, both_sides=True)
        made[name] = (field + sculptor.mirrored(field)) / 2
    made["jawOpen"] = sculptor.jaw_motion(turn=JAW_OPEN_ANGLE)
    made["jawForward"] = sculptor.jaw_motion(shift=(0, -0.5, 6.0))
    made["mouthClose"] = _mouth_close(sculptor, made["jawOpen"])
    made["tongueOut"] = _tongue_out(sculptor)
    return np.stack([made[name] for name in EXPRESSIONS]), sculptor.jaw


def _mouth_close(sculptor: Sculptor, jaw_open: np.ndarray) -> np.ndarray:
    """Brings the lips together again when added to an open jaw: ARKit's meaning of mouthClose."""
    handles: dict[int, np.ndarray] = {}
    for column in range(20):
        inner = lm.LIPS_INNER[column]
        other = lm.LIPS_INNER[(20 - column) % 20]
        gap = jaw_open[other] - jaw_open[inner]
        share = 0.3 if 0 < column < 10 else 0.7
        for loop in LIP_LOOPS:
            handles[int(loop[column])] = share * gap
    field = sculptor.spread(handles, 30.0)
    return sculptor.carried((field + sculptor.mirrored(field)) / 2)


def _tongue_out(sculptor: Sculptor) -> np.ndarray:
    field = np.zeros_like(sculptor.points)
    for name, index in sculptor.parts.items():
        if name.startswith("tongue"):
            forward = np.clip((sculptor.points[index, 2] - 20) / 40, 0, 1)
            field[index, 2] = 42 * forward
            field[index, 1] = 6 * forward - 9 * forward**4  # over the lip, then down
    return field
