"""Named poses of a face as ARKit expressions: what the command line and Blender's buttons know.

Values are coefficients, 0 neutral to 1 full. A head that lacks an expression is posed without it.
The visemes are mouth shapes of spoken English; they leave the rest of the face alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .errors import LikenessError

EMOTIONS, EYES, VISEMES = "Emotions", "Eyes", "Visemes"


class Pose(NamedTuple):
    """One pose. Names without a side stand for Left and Right."""

    label: str
    category: str
    values: Mapping[str, float]


POSES: dict[str, Pose] = {
    "neutral": Pose("Neutral", EMOTIONS, {}),
    "smile": Pose("Smile", EMOTIONS, {"mouthSmile": 0.75, "cheekSquint": 0.4, "eyeSquint": 0.25}),
    "laugh": Pose(
        "Laugh",
        EMOTIONS,
        {
            "mouthSmile": 0.9,
            "cheekSquint": 0.7,
            "eyeSquint": 0.5,
            "jawOpen": 0.4,
            "mouthUpperUp": 0.3,
        },
    ),
    "frown": Pose("Frown", EMOTIONS, {"mouthFrown": 0.7, "browDown": 0.4, "mouthShrugLower": 0.3}),
    "surprise": Pose(
        "Surprise",
        EMOTIONS,
        {"browInnerUp": 0.8, "browOuterUp": 0.8, "eyeWide": 0.8, "jawOpen": 0.4},
    ),
    "anger": Pose(
        "Anger",
        EMOTIONS,
        {
            "browDown": 0.9,
            "noseSneer": 0.4,
            "eyeSquint": 0.4,
            "mouthPress": 0.5,
            "mouthFrown": 0.3,
            "jawForward": 0.2,
        },
    ),
    "disgust": Pose(
        "Disgust",
        EMOTIONS,
        {
            "noseSneer": 0.9,
            "mouthUpperUp": 0.5,
            "browDown": 0.5,
            "eyeSquint": 0.4,
            "mouthFrown": 0.3,
        },
    ),
    "sad": Pose(
        "Sad",
        EMOTIONS,
        {"browInnerUp": 0.8, "mouthFrown": 0.6, "mouthShrugLower": 0.4, "eyeSquint": 0.2},
    ),
    "fear": Pose(
        "Fear",
        EMOTIONS,
        {"browInnerUp": 0.8, "browOuterUp": 0.3, "eyeWide": 0.9, "mouthStretch": 0.6},
    ),
    "blink": Pose("Blink", EYES, {"eyeBlink": 1.0}),
    "winkLeft": Pose("Wink Left", EYES, {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.5}),
    "winkRight": Pose("Wink Right", EYES, {"eyeBlinkRight": 1.0, "cheekSquintRight": 0.5}),
    "lookUp": Pose("Look Up", EYES, {"eyeLookUp": 0.7, "browInnerUp": 0.2}),
    "lookDown": Pose("Look Down", EYES, {"eyeLookDown": 0.7}),
    "lookLeft": Pose("Look Left", EYES, {"eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7}),
    "lookRight": Pose("Look Right", EYES, {"eyeLookInLeft": 0.7, "eyeLookOutRight": 0.7}),
    "AA": Pose("AA", VISEMES, {"jawOpen": 0.55, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1}),
    "E": Pose("E", VISEMES, {"jawOpen": 0.25, "mouthStretch": 0.3, "mouthLowerDown": 0.25}),
    "I": Pose("I", VISEMES, {"jawOpen": 0.12, "mouthSmile": 0.3, "mouthStretch": 0.35}),
    "O": Pose("O", VISEMES, {"jawOpen": 0.4, "mouthFunnel": 0.6, "mouthPucker": 0.2}),
    "U": Pose("U", VISEMES, {"jawOpen": 0.15, "mouthPucker": 0.7, "mouthFunnel": 0.25}),
    "M": Pose("M, B, P", VISEMES, {"mouthPress": 0.35, "mouthRollLower": 0.3, "mouthClose": 0.05}),
    "F": Pose("F, V", VISEMES, {"mouthRollLower": 0.6, "mouthUpperUp": 0.25, "jawOpen": 0.06}),
    "L": Pose("L", VISEMES, {"jawOpen": 0.28, "mouthLowerDown": 0.2, "tongueOut": 0.1}),
    "S": Pose("S, Z", VISEMES, {"jawOpen": 0.06, "mouthStretch": 0.25, "mouthLowerDown": 0.2}),
    "CH": Pose("CH, SH", VISEMES, {"jawOpen": 0.1, "mouthFunnel": 0.6, "mouthShrugUpper": 0.2}),
    "TH": Pose("TH", VISEMES, {"jawOpen": 0.18, "tongueOut": 0.3, "mouthLowerDown": 0.1}),
    "K": Pose("K, G", VISEMES, {"jawOpen": 0.25, "mouthStretch": 0.1}),
    "R": Pose("R", VISEMES, {"jawOpen": 0.15, "mouthFunnel": 0.35, "mouthPucker": 0.2}),
}


def sided(values: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Values by the head's own names: one without a side goes to both; unknown ones fall out."""
    known = set(names)
    found: dict[str, float] = {}
    for name, value in values.items():
        matches = [name] if name in known else [f"{name}Left", f"{name}Right"]
        found |= {match: value for match in matches if match in known}
    return found


def parse_expression(text: str, names: Sequence[str]) -> np.ndarray:
    """Coefficients [E] of "smile=0.5,jawOpen=1": poses and expressions, added up, at most 1 each.

    Raises LikenessError on what is neither.
    """
    total = np.zeros(len(names), np.float32)
    for part in filter(None, re.split(r"[,;\s]+", text.strip())):
        name, _, number = part.partition("=")
        try:
            strength = float(number or 1)
        except ValueError:
            raise LikenessError(f"'{part}' has no number.", "Give smile=0.5,jawOpen=1.") from None
        values = POSES[name].values if name in POSES else {name: 1.0}
        found = sided(values, names)
        if not found and name not in POSES:
            raise LikenessError(
                f"There is no expression '{name}'.",
                f"Poses: {', '.join(POSES)}. Expressions: {', '.join(names)}.",
            )
        for expression, value in found.items():
            total[names.index(expression)] += strength * value
    return np.clip(total, -1, 1)
