"""Other programs' names for facial movements, mapped to ARKit's: presets, and tables as JSON text.

A table says for each source name which ARKit expressions it moves and by how much:

    {"viseme_O": {"jawOpen": 0.4, "mouthFunnel": 0.6}, "smile_l": {"mouthSmileLeft": 1.0}}

Names that differ from ARKit's only in capitals, separators or a short side (EyeBlinkLeft,
eyeBlink_L, Eye Blink L) need no row: iPhone, Live Link, Faceit and Unreal are one preset.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import numpy as np

from ..engine.api.errors import LikenessError
from ..engine.api.poses import POSES

Table = Mapping[str, Mapping[str, float]]

ARKIT = (
    *("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn"),
    *("eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "jaw", "mouth", "mouthDimple"),
    *("mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch"),
    *("mouthUpperUp", "noseSneer"),
)  # with a side
_WHOLE = (
    *("browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose", "mouthFunnel"),
    *("mouthPucker", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    "tongueOut",
)
ARKIT_NAMES = (*(f"{stem}{side}" for stem in ARKIT for side in ("Left", "Right")), *_WHOLE)
_HINT = 'Write {"their name": {"jawOpen": 1.0}, ...}.'
_QUARTERS = ("UL", "UR", "DL", "DR")  # of the mouth, upper and lower
LARGEST = 10.0  # a weight beyond this is a mistake


def _sided(values: Mapping[str, float]) -> dict[str, float]:
    """Values on both sides where the name has none."""
    spread = {}
    for name, value in values.items():
        sides = ("Left", "Right") if name in ARKIT else ("",)
        spread |= {f"{name}{side}": value for side in sides}
    return spread


def _viseme(name: str) -> dict[str, float]:
    return _sided(POSES[name].values)


def _of_meta_human() -> dict[str, dict[str, float]]:
    """MetaHuman's CTRL_expressions curves; several of theirs make one of ARKit's."""
    sided = {
        "browDown": {"browDown": 1.0},
        "browRaiseIn": {"browInnerUp": 0.5},
        "browRaiseOuter": {"browOuterUp": 1.0},
        "eyeBlink": {"eyeBlink": 1.0},
        "eyeWiden": {"eyeWide": 1.0},
        "eyeSquintInner": {"eyeSquint": 1.0},
        "eyeCheekRaise": {"cheekSquint": 1.0},
        "eyeLookUp": {"eyeLookUp": 1.0},
        "eyeLookDown": {"eyeLookDown": 1.0},
        "noseWrinkle": {"noseSneer": 1.0},
        "mouthCornerPull": {"mouthSmile": 1.0},
        "mouthCornerDepress": {"mouthFrown": 1.0},
        "mouthDimple": {"mouthDimple": 1.0},
        "mouthStretch": {"mouthStretch": 1.0},
        "mouthUpperLipRaise": {"mouthUpperUp": 1.0},
        "mouthLowerLipDepress": {"mouthLowerDown": 1.0},
        "mouthUpperLipRollIn": {"mouthRollUpper": 0.5},
        "mouthLowerLipRollIn": {"mouthRollLower": 0.5},
        "mouthCheekBlow": {"cheekPuff": 0.5},
    }
    quarters = {"mouthFunnel": "mouthFunnel", "mouthLipsPurse": "mouthPucker"}
    table: dict[str, dict[str, float]] = {}
    for stem, values in sided.items():
        for short, side in (("L", "Left"), ("R", "Right")):
            table[f"CTRL_expressions_{stem}{short}"] = {
                f"{name}{side}" if name in ARKIT else name: value for name, value in values.items()
            }
    for stem, name in quarters.items():
        table |= {f"CTRL_expressions_{stem}{part}": {name: 0.25} for part in _QUARTERS}
    for short, side, other in (("L", "Left", "Right"), ("R", "Right", "Left")):
        table |= {
            f"CTRL_expressions_mouthPressU{short}": {f"mouthPress{side}": 0.5},
            f"CTRL_expressions_mouthPressD{short}": {f"mouthPress{side}": 0.5},
            f"CTRL_expressions_jawChinRaiseU{short}": {"mouthShrugUpper": 0.5},
            f"CTRL_expressions_jawChinRaiseD{short}": {"mouthShrugLower": 0.5},
            # Both eyes look to a side: towards the nose is the other way for each.
            f"CTRL_expressions_eyeLook{side}{short}": {f"eyeLookOut{side}": 1.0},
            f"CTRL_expressions_eyeLook{other}{short}": {f"eyeLookIn{side}": 1.0},
            f"CTRL_expressions_jaw{side}": {f"jaw{side}": 1.0},
            f"CTRL_expressions_mouth{side}": {f"mouth{side}": 1.0},
        }
    return table | {
        "CTRL_expressions_jawOpen": {"jawOpen": 1.0},
        "CTRL_expressions_jawFwd": {"jawForward": 1.0},
        "CTRL_expressions_tongueOut": {"tongueOut": 1.0},
    }


def _of_visemes() -> dict[str, dict[str, float]]:
    """VRM's presets (old and new names) and the Oculus visemes of Ready Player Me."""
    vowels = {"A": "AA", "I": "I", "U": "U", "E": "E", "O": "O"}
    new = {"aa": "AA", "ih": "I", "ou": "U", "ee": "E", "oh": "O"}
    oculus = {"PP": "M", "FF": "F", "TH": "TH", "DD": "L", "kk": "K", "CH": "CH", "SS": "S"}
    oculus |= {"nn": "L", "RR": "R", "aa": "AA", "E": "E", "I": "I", "O": "O", "U": "U"}
    table = {name: _viseme(viseme) for name, viseme in {**vowels, **new}.items()}
    table |= {f"Fcl_MTH_{name}": _viseme(viseme) for name, viseme in vowels.items()}
    table |= {f"viseme_{name}": _viseme(viseme) for name, viseme in oculus.items()}
    table["viseme_sil"] = {}
    emotions = {"joy": "smile", "happy": "smile", "fun": "smile", "relaxed": "smile"}
    emotions |= {"angry": "anger", "sorrow": "sad", "sad": "sad", "surprised": "surprise"}
    table |= {name: _viseme(known) for name, known in emotions.items()}
    table["blink"] = _viseme("blink")
    for side in ("Left", "Right"):
        table[f"blink{side}"] = table[f"blink_{side[0]}"] = {f"eyeBlink{side}": 1.0}
    return table


# Rhubarb's mouth shapes (Preston Blair's, A to F, and the extended G, H and X).
_RHUBARB = {
    "A": _viseme("M"),
    "B": _viseme("S"),
    "C": _viseme("E"),
    "D": _viseme("AA"),
    "E": _viseme("O"),
    "F": _viseme("U"),
    "G": _viseme("F"),
    "H": _viseme("L"),
    "X": {},
}

PRESETS: dict[str, tuple[str, str, Table]] = {
    "ARKIT": ("ARKit", "iPhone, Live Link Face, Faceit, Unreal: names need no table", {}),
    "METAHUMAN": ("MetaHuman", "Curves called CTRL_expressions_...", _of_meta_human()),
    "VISEMES": ("VRM, Ready Player Me", "Vowels, visemes and moods", _of_visemes()),
    "RHUBARB": ("Rhubarb", "Mouth shapes A to H and X", _RHUBARB),
}


def plain(name: str) -> str:
    """A name without what differs between programs: 'Eye_Blink_L' and 'EyeBlinkLeft' are one."""
    name = re.sub(r"(?<=[a-z])[_. -]?L$", "Left", name)
    name = re.sub(r"(?<=[a-z])[_. -]?R$", "Right", name)
    return re.sub(r"[^a-z0-9]", "", name.lower())


def guess(sources: list[str]) -> str:
    """The preset that knows most of the names."""
    return max(PRESETS, key=lambda name: len(_rows(sources, PRESETS[name][2])))


def mapped(
    values: Mapping[str, np.ndarray], table: Table
) -> tuple[dict[str, np.ndarray], list[str]]:
    """ARKit curves [T] of a source's curves [T], and the source's names that are unknown."""
    rows = _rows(list(values), table)
    curves: dict[str, np.ndarray] = {}
    for source, targets in rows.items():
        for target, weight in targets.items():
            curves[target] = curves.get(target, 0.0) + weight * np.asarray(values[source], float)
    return curves, [name for name in values if name not in rows]


def to_text(table: Table) -> str:
    """A table as JSON, one row a line, for people to edit. ARKit's preset shows every name."""
    shown = table or {name: {name: 1.0} for name in ARKIT_NAMES}
    rows = [f" {json.dumps(source)}: {json.dumps(targets)}" for source, targets in shown.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def from_text(text: str) -> Table:
    """The table of a JSON text. Raises LikenessError that says which row is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LikenessError(f"The name table is no JSON: {error}.", _HINT) from error
    if not isinstance(document, dict):
        raise LikenessError("The name table is no JSON object.", _HINT)
    return {source: _row(source, targets) for source, targets in document.items()}


def _row(source: str, targets: object) -> dict[str, float]:
    if isinstance(targets, str):
        targets = {targets: 1.0}
    if not isinstance(targets, dict):
        raise LikenessError(f"The row '{source}' of the name table is no object.", _HINT)
    for target, weight in targets.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not abs(weight) <= LARGEST:
            raise LikenessError(f"The weight of '{target}' in row '{source}' is illegal.", _HINT)
    return {target: float(weight) for target, weight in targets.items()}


def _rows(sources: list[str], table: Table) -> dict[str, Mapping[str, float]]:
    """The row of each source name that has one, the table's before ARKit's own name."""
    known = {plain(name): {name: 1.0} for name in ARKIT_NAMES}
    exact = dict(table)
    loose = {plain(name): row for name, row in table.items() if len(name) > 2}
    found = {}
    for source in sources:
        row = exact.get(source, loose.get(plain(source), known.get(plain(source))))
        if row is not None:
            found[source] = row
    return found
