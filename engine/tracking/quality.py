"""What a tracked clip is worth, in numbers and in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..api.rotations import matrix_from_rotvec, rotvec_from_matrix

# An expression was seen when its coefficient once reached this.
SEEN = 0.3
GOOD_ERROR = 2.0  # pixels at 512


def quality_report(
    errors: np.ndarray,
    size: int,
    confidence: np.ndarray,
    expression: np.ndarray,
    names: tuple[str, ...],
    rotation: np.ndarray,
    neck: np.ndarray,
) -> dict[str, Any]:
    """Numbers and warnings. `errors` [T, M] pixels of a crop of `size`; rotations [T, 3]."""
    found = confidence > 0
    scaled = errors[found] * 512 / size
    turn = np.degrees(rotvec_from_matrix(matrix_from_rotvec(rotation) @ matrix_from_rotvec(neck)))
    peaks = expression.max(0)
    report: dict[str, Any] = {
        "frames": len(confidence),
        "reprojection_px_at_512": round(float(np.median(scaled)), 3),
        "reprojection_p95_px_at_512": round(float(np.percentile(scaled, 95)), 3),
        "lost_share": round(float(1 - found.mean()), 4),
        "yaw_degrees": _range(turn[:, 1]),
        "pitch_degrees": _range(turn[:, 0]),
        "roll_degrees": _range(turn[:, 2]),
        "expressions_seen": [n for n, peak in zip(names, peaks, strict=True) if peak > SEEN],
    }
    report["warnings"] = _warnings(report, dict(zip(names, peaks, strict=True)))
    return report


def _range(values: np.ndarray) -> list[float]:
    low, high = np.percentile(values, [1, 99])
    return [round(float(low), 1), round(float(high), 1)]


def _warnings(report: dict[str, Any], peaks: dict[str, float]) -> list[str]:
    if report["frames"] == 1:
        return []
    low, high = report["yaw_degrees"]
    checks = (
        (report["frames"] < 200, "the clip is short: unseen expressions will be guessed"),
        (report["lost_share"] > 0.05, "the face was lost in {lost_share:.0%} of the frames"),
        (
            report["reprojection_px_at_512"] > GOOD_ERROR,
            "the head fits loosely ({reprojection_px_at_512} px): expect soft detail",
        ),
        (high - low < 12, "the head hardly turns: its sides will be guessed"),
        (peaks.get("jawOpen", 1) < 0.15, "the mouth never opens: teeth will be guessed"),
        (peaks.get("eyeBlinkLeft", 1) < 0.5, "the eyes never close: lids will be guessed"),
    )
    return [words.format(**report) for bad, words in checks if bad]
