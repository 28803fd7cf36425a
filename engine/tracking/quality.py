"""What a tracked clip is worth in figures: its fit, the poses and expressions seen, the filming.

What the figures mean to the person who films is said in findings.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import median_filter

from ..api.head import HeadParams
from ..api.rotations import matrix_from_rotvec, rotvec_from_matrix
from .findings import find
from .survey import Survey

# An expression was seen when its coefficient reached this, in as many frames as a quick blink has.
SEEN, SEEN_FRAMES = 0.3, 3
# A frame is blurred when its detail falls to this share of the clip's usual: a blur of two pixels
# on a face of 250 does (0.49 to 0.67), and no frame of three sharp clips (0.77 at the least).
BLURRED = 0.65
# Light is judged over about a second: shadows of a nod and noise are shorter.
LIGHT_SECONDS = 0.8
# The hair above the landmarks' topmost point, in face heights.
HAIR = 0.25
EDGE_PIXELS = 2.0


@dataclass(frozen=True)
class Filmed:
    """How one clip was filmed."""

    survey: Survey
    crop_side: int  # pixels of the footage
    is_image: bool


@dataclass(frozen=True)
class Evidence:
    """What tracking knows of T frames when it is done."""

    shots: Sequence[Filmed]
    errors: np.ndarray  # [T, M] pixels between landmarks and the posed head
    confidence: np.ndarray  # [T]
    params: HeadParams
    expression_names: tuple[str, ...]
    sharpness: np.ndarray  # [T]
    times: np.ndarray  # [T] seconds
    size: int  # of the crop in pixels


def quality_report(evidence: Evidence) -> dict[str, Any]:
    """Figures, the findings drawn from them, and those worth a warning as plain words."""
    figures = {
        **_fit(evidence),
        **_poses(evidence.params),
        **_expressions(evidence),
        **_filming(evidence),
    }
    found = find(figures)
    return {
        **figures,
        "findings": [finding._asdict() for finding in found],
        "warnings": [finding.words for finding in found if finding.severity != "note"],
    }


def _fit(evidence: Evidence) -> dict[str, Any]:
    found = evidence.confidence > 0
    scaled = evidence.errors[found] * 512 / evidence.size
    times = evidence.times
    return {
        "frames": len(found),
        "seconds": round(float(times[-1] - times[0]), 2),
        "still": all(shot.is_image for shot in evidence.shots),
        "reprojection_px_at_512": round(float(np.median(scaled)), 3),
        "reprojection_p95_px_at_512": round(float(np.percentile(scaled, 95)), 3),
        "lost_share": round(float(1 - found.mean()), 4),
        "lost_frames": ranges(~found),
        "worst_frames": worst_frames(evidence.errors, evidence.confidence),
    }


def worst_frames(errors: np.ndarray, confidence: np.ndarray, count: int = 5) -> list[int]:
    """The frames that fit worst by their 90th percentile, none beside another."""
    score = np.where(confidence > 0, np.percentile(errors, 90, axis=1), np.inf)
    apart = max(len(score) // 20, 1)
    chosen: list[int] = []
    for index in np.argsort(-score, kind="stable"):
        if all(abs(index - other) > apart for other in chosen):
            chosen.append(int(index))
        if len(chosen) == count:
            break
    return sorted(chosen)


def _poses(params: HeadParams) -> dict[str, Any]:
    head = matrix_from_rotvec(params.rotation) @ matrix_from_rotvec(params.neck)
    turn = np.degrees(rotvec_from_matrix(head))
    return {
        "yaw_degrees": _range(turn[:, 1]),
        "pitch_degrees": _range(turn[:, 0]),
        "roll_degrees": _range(turn[:, 2]),
    }


def _range(values: np.ndarray) -> list[float]:
    low, high = np.percentile(values, [1, 99])
    return [round(float(low), 1), round(float(high), 1)]


def _expressions(evidence: Evidence) -> dict[str, Any]:
    expression = evidence.params.expression
    rank = min(SEEN_FRAMES, len(expression))
    peaks = np.sort(expression, axis=0)[-rank]
    named = {
        name: round(float(peak), 3)
        for name, peak in zip(evidence.expression_names, peaks, strict=True)
    }
    eyes = np.degrees(evidence.params.eyes.mean(1))
    return {
        "expressions_seen": [name for name, peak in named.items() if peak > SEEN],
        "expression_peaks": named,
        "gaze_yaw_degrees": _range(eyes[:, 1]),
        "gaze_pitch_degrees": _range(eyes[:, 0]),
    }


def _filming(evidence: Evidence) -> dict[str, Any]:
    surveys = [shot.survey for shot in evidence.shots]
    tall = np.concatenate([s.faces[:, 3] - s.faces[:, 1] for s in surveys])
    short_sides = [min(s.frame_width, s.frame_height) for s in surveys]
    # Each clip against itself: one filmed nearer is no reproach to the other.
    ends = np.cumsum([len(s) for s in surveys])[:-1]
    blurred = np.concatenate([blurred_frames(own) for own in np.split(evidence.sharpness, ends)])
    second = np.concatenate([s.second_face for s in surveys])
    drift = np.concatenate([s.drift for s in surveys])
    return {
        "frame_size": [surveys[0].frame_width, surveys[0].frame_height],
        "face_height_px": _rounded(np.nanmedian(tall), 1),
        "face_share": _rounded(np.nanmedian(tall) / min(short_sides), 3),
        "crop_side_px": min(shot.crop_side for shot in evidence.shots),
        "sharpness": _rounded(np.nanmedian(evidence.sharpness), 3),
        "blurred_share": _rounded(blurred.mean(), 3),
        "blurred_frames": ranges(blurred),
        **_light(surveys, evidence.times),
        "face_cut_share": _rounded(np.mean(np.concatenate([cut(s, 0.0) for s in surveys])), 3),
        "hair_cut_share": _rounded(np.mean(np.concatenate([cut(s, HAIR) for s in surveys])), 3),
        "second_face_share": _rounded((second > 0).mean() if len(second) else 0.0, 3),
        "camera_drift_per_mille": _rounded(
            1000 * np.percentile(drift, 80) if len(drift) else 0.0, 3
        ),
        "blockiness": _rounded(np.median(np.concatenate([s.blocks for s in surveys])), 3),
        "cuts": sum(len(s.cuts) for s in surveys),
    }


def _rounded(value: Any, digits: int) -> float:
    """A number that JSON can hold; nothing measured counts as 0."""
    return round(float(np.nan_to_num(value)), digits)


def blurred_frames(sharp: np.ndarray) -> np.ndarray:
    """Boolean [T]: frames with much less fine detail than the clip usually has."""
    usual = np.nanpercentile(sharp, 75) if np.isfinite(sharp).any() else 0.0
    return np.nan_to_num(sharp, nan=np.inf) < BLURRED * usual


def _light(surveys: Sequence[Survey], times: np.ndarray) -> dict[str, Any]:
    """Exposure and white balance of the face over time, in stops, and how bright it is."""
    light = np.concatenate([s.light for s in surveys])
    burnt = np.concatenate([s.burnt for s in surveys])
    good = np.isfinite(light[:, 0])
    stops = np.log2(np.maximum(light[good], 1e-4))
    step = np.median(np.diff(times)) if len(times) > 1 else 1.0
    width = max(1, 2 * round(LIGHT_SECONDS / max(step, 1e-3) / 2) + 1)
    slow = median_filter(stops, (width, 1), mode="nearest")
    balance = slow[:, [0, 2]] - slow[:, 1:2]
    return {
        "face_light": _rounded(np.median(light[good, 1]), 4),
        "exposure_stops": _rounded(_spread(slow[:, 1]), 3),
        "white_balance_stops": _rounded(max(_spread(balance[:, 0]), _spread(balance[:, 1])), 3),
        "burnt_share": _rounded(np.nanmean(burnt), 4),
    }


def _spread(values: np.ndarray) -> float:
    low, high = np.percentile(values, [3, 97])
    return float(high - low)


def cut(survey: Survey, above: float) -> np.ndarray:
    """Boolean [T]: frames whose face, with a share of its height above it, leaves the picture."""
    left, top, right, bottom = np.nan_to_num(survey.faces, nan=0.0).T
    seen = np.isfinite(survey.faces[:, 0])
    outside = (
        (left < EDGE_PIXELS)
        | (top - above * (bottom - top) < EDGE_PIXELS)
        | (right > survey.frame_width - EDGE_PIXELS)
        | (bottom > survey.frame_height - EDGE_PIXELS)
    )
    return seen & outside


def ranges(mask: np.ndarray, most: int = 20) -> list[list[int]]:
    """The runs of true in a boolean [T] as [first, last], at most `most` of them, longest kept."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    runs = [[int(a), int(b) - 1] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    longest = sorted(runs, key=lambda run: run[0] - run[1])[:most]
    return sorted(longest)
