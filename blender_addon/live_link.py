"""Recorded face captures from files: Live Link Face's CSV, other wide CSV, Rhubarb's TSV and JSON.

It checks what it reads and knows neither Blender nor avatars. Live Link Face writes
`Timecode,BlendShapeCount,EyeBlinkLeft,...` and nine rotations in radians, one row a frame; the
time code is HH:MM:SS:FF.sss with FF counted at the take's frame rate.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np

from ..engine.api.errors import LikenessError
from ..engine.api.rotations import matrix_from_rotvec, rotvec_from_matrix
from .motion import Motion

MAX_BYTES = 256 << 20
RATES = (24, 25, 30, 48, 50, 60, 120)
HEAD = ("headyaw", "headpitch", "headroll")
FULL_LOOK = np.radians(30)  # of an eyeLook expression at 1 (docs/ARCHITECTURE.md)
_HINT = "Give a CSV that Live Link Face has recorded, or Rhubarb's TSV or JSON."
_TIMECODE = re.compile(r"(\d+):(\d\d):(\d\d)[:;](\d+)(?:\.(\d+))?$")
_DAY = 24 * 3600.0
GRID, GLIDE = 1 / 60, 0.08  # seconds between values made of mouth cues, and of a change of shape
LONGEST = 3 * 3600.0


def read_capture(path: str | Path, rate: float = 0.0) -> Motion:
    """The movement in a file, times from 0. `rate` (rows a second) 0 takes the file's own times.

    Raises LikenessError that says which line is wrong.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LikenessError(f"{path.name} is too large for a face capture.", _HINT)
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LikenessError(f"{path} cannot be read: {error}.", _HINT) from error
    if path.suffix.lower() == ".json":
        return _mouth_cues(_json_cues(text, path.name))
    if "," not in text.partition("\n")[0]:
        return _mouth_cues(_tsv_cues(text, path.name))
    return _wide(text, path.name, rate)


def time_code_seconds(codes: list[str]) -> np.ndarray:
    """Seconds [T] from the first of time codes HH:MM:SS:FF.sss; past midnight goes on.

    The frame rate is the smallest common one that all frame numbers fit in. Raises ValueError.
    """
    matches = [_TIMECODE.match(code.strip()) for code in codes]
    if None in matches:
        raise ValueError(f"'{codes[matches.index(None)]}' is no time code")
    frames = np.array([float(f"{m[4]}.{m[5] or 0}") for m in matches if m])
    most = frames.max(initial=0.0)
    rate = next((rate for rate in RATES if most < rate), most + 1)
    seconds = np.array([3600 * int(m[1]) + 60 * int(m[2]) + int(m[3]) for m in matches if m])
    times = seconds + frames / rate
    wraps = np.cumsum(np.diff(times, prepend=times[:1]) < -_DAY / 2)
    times = times + wraps * _DAY
    return times - times[0]


def _wide(text: str, name: str, rate: float) -> Motion:
    """A CSV of one column a value: the first one is the time."""
    rows = list(csv.reader(text.splitlines()))
    header = [column.strip() for column in rows[0]]
    first = 2 if len(header) > 1 and header[1].lower() == "blendshapecount" else 1
    # Live Link Face leaves a row short, with a count of 0, while it sees no face.
    kept = [(i, row) for i, row in enumerate(rows[1:], 2) if len(row) >= len(header)]
    if not kept or len(header) <= first:
        raise LikenessError(f"{name} holds no frame of a face.", _HINT)
    values = np.array([_numbers(row[first : len(header)], i, name) for i, row in kept])
    times = _times([row[0] for _, row in kept], header[0], name)
    if rate > 0:
        times = np.arange(len(kept)) / rate
    ascending = np.diff(times, prepend=-1.0) > 0
    if np.count_nonzero(~ascending) > 0.1 * len(times):
        raise LikenessError(f"The times in {name} do not go forward.", "Give its frame rate.")
    times, values = times[ascending], values[ascending]
    columns = {column: values[:, i] for i, column in enumerate(header[first:])}
    return _split_rotations(times, columns)


def _numbers(cells: list[str], line: int, name: str) -> list[float]:
    try:
        numbers = [float(cell or 0) for cell in cells]
    except ValueError as error:
        raise LikenessError(f"Line {line} of {name}: {error}.", _HINT) from error
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e4:
        raise LikenessError(f"Line {line} of {name} holds an impossible number.", _HINT)
    return numbers


def _times(cells: list[str], column: str, name: str) -> np.ndarray:
    try:
        if ":" in cells[0]:
            return time_code_seconds(cells)
        times = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise LikenessError(f"The times in {name} cannot be read: {error}.", _HINT) from error
    if column.lower() in {"frame", "frames", "frame_number"}:
        times = times / 30.0
    return times - times[0]


def _split_rotations(times: np.ndarray, columns: dict[str, np.ndarray]) -> Motion:
    """Head rotations apart; eye rotations become eyeLook values where the file has none."""
    by_name = {name.lower(): values for name, values in columns.items()}
    rotations = {n: _radians(v) for n, v in by_name.items() if re.search(r"(yaw|pitch|roll)$", n)}
    values = {name: v for name, v in columns.items() if name.lower() not in rotations}
    head = None
    if all(name in rotations for name in HEAD):
        head = _head_turns(*(rotations[name] for name in HEAD))
    looks = [v for name, v in values.items() if name.lower().startswith("eyelook")]
    if not any(look.any() for look in looks):
        values |= _looks(rotations)
    return Motion(times, values, head)


def _radians(angles: np.ndarray) -> np.ndarray:
    """Live Link Face writes radians, converters write degrees; a head never turns three radians."""
    return np.radians(angles) if np.abs(angles).max(initial=0) > 3.0 else angles


def _head_turns(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Rotation vectors [T, 3] in head axes: x to the person's left, y up, z out of the face.

    Unreal's axes are left-handed: yaw turns to the person's right, pitch down, roll to the right.
    """
    zero = np.zeros_like(yaw)
    turn = matrix_from_rotvec(np.stack([zero, -yaw, zero], -1))
    turn = turn @ matrix_from_rotvec(np.stack([pitch, zero, zero], -1))
    return rotvec_from_matrix(turn @ matrix_from_rotvec(np.stack([zero, zero, -roll], -1)))


def _looks(rotations: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """eyeLook values of the eye rotations: yaw to the person's right, pitch down."""
    values = {}
    for side, outward in (("Left", -1.0), ("Right", 1.0)):
        yaw = rotations.get(f"{side.lower()}eyeyaw")
        pitch = rotations.get(f"{side.lower()}eyepitch")
        if yaw is not None and pitch is not None:
            values[f"eyeLookOut{side}"] = np.clip(outward * yaw / FULL_LOOK, 0, 1)
            values[f"eyeLookIn{side}"] = np.clip(-outward * yaw / FULL_LOOK, 0, 1)
            values[f"eyeLookDown{side}"] = np.clip(pitch / FULL_LOOK, 0, 1)
            values[f"eyeLookUp{side}"] = np.clip(-pitch / FULL_LOOK, 0, 1)
    return values


def _tsv_cues(text: str, name: str) -> list[tuple[float, str]]:
    cues = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        try:
            cues.append((float(cells[0]), cells[1]))
        except (ValueError, IndexError):
            raise LikenessError(f"Line {number} of {name} is no mouth cue.", _HINT) from None
    return cues


def _json_cues(text: str, name: str) -> list[tuple[float, str]]:
    try:
        cues = json.loads(text)["mouthCues"]
        found = [(float(cue["start"]), str(cue["value"])) for cue in cues]
        return [*found, (float(cues[-1]["end"]), "X")]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise LikenessError(f"{name} holds no mouth cues of Rhubarb.", _HINT) from error


def _mouth_cues(cues: list[tuple[float, str]]) -> Motion:
    """Mouth shapes as curves that are 1 from their cue to the next and glide from one to another.

    A curve is the mean of its steps over GLIDE seconds, so short cues stay weak.
    """
    starts = np.array([time for time, _ in cues])
    if len(starts) < 2 or not np.isfinite(starts).all() or np.any(np.diff(starts) < 0):
        raise LikenessError("The mouth cues are not in order of time.", _HINT)
    if starts[-1] - starts[0] > LONGEST:
        raise LikenessError("The mouth cues are longer than three hours.", _HINT)
    times = np.arange(starts[0], starts[-1] + GRID, GRID)
    values = {}
    for shape in sorted({shape for _, shape in cues}):
        steps = np.array([float(other == shape) for _, other in cues])
        area = np.concatenate([[0.0], np.cumsum(steps[:-1] * np.diff(starts))])
        high, low = (np.interp(times + side * GLIDE / 2, starts, area) for side in (1, -1))
        values[shape] = (high - low) / GLIDE
    return Motion(times - times[0], values)
