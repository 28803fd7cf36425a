"""The quality report beside a tracked clip: report.json for programs, report.txt for people."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from ..clip import TrackedClip
from .contact_sheet import write_contact_sheet

JSON, TEXT, SHEET = "report.json", "report.txt", "contact_sheet.png"
HEADINGS = {"serious": "Film this again", "warning": "Worth filming better", "note": "Notes"}


def write_report(clip: TrackedClip) -> None:
    """Write the report and the contact sheet into the clip's folder."""
    quality = clip.info["quality"]
    found = {"source": clip.info["source"], "settings": clip.info["settings"], **quality}
    text = json.dumps(found, indent=1, allow_nan=False)
    (clip.directory / JSON).write_text(text, encoding="utf-8")
    (clip.directory / TEXT).write_text(report_text(clip.info), encoding="utf-8")
    write_contact_sheet(clip, clip.directory / SHEET, quality["worst_frames"])


def report_text(info: dict[str, Any]) -> str:
    """The report in words, of a clip's info."""
    return "\n".join(_lines(info)) + "\n"


def _lines(info: dict[str, Any]) -> Iterator[str]:
    quality, source = info["quality"], info["source"]
    names = ", ".join(file["name"] for file in source.get("files", [source]))
    width, height = quality["frame_size"]
    yield f"{names}: {quality['frames']} frames, {quality['seconds']:.1f} s, {width} x {height}"
    yield ""
    yield (
        f"Landmarks fit to {quality['reprojection_px_at_512']} pixels at 512 (median), "
        f"{quality['reprojection_p95_px_at_512']} (95 %)."
    )
    yield f"Face lost in {quality['lost_share']:.1%} of the frames{_which(quality['lost_frames'])}."
    yield f"Blurred: {quality['blurred_share']:.1%}{_which(quality['blurred_frames'])}."
    yield (
        f"The head turned {_range(quality['yaw_degrees'])} (right to left), "
        f"nodded {_range(quality['pitch_degrees'])} (up to down), "
        f"tilted {_range(quality['roll_degrees'])}."
    )
    yield (
        f"Face {quality['face_height_px']:.0f} pixels tall; light varies by "
        f"{quality['exposure_stops']} stops, white balance by {quality['white_balance_stops']}."
    )
    seen = ", ".join(quality["expressions_seen"]) or "none"
    yield from textwrap.wrap(f"Expressions seen: {seen}.", 96)
    if not quality["findings"]:
        yield from ("", "Nothing is wanting in this footage.")
    for severity, heading in HEADINGS.items():
        found = [each for each in quality["findings"] if each["severity"] == severity]
        if found:
            yield from ("", heading)
        for each in found:
            yield f"- {each['words'][0].upper()}{each['words'][1:]}."
            yield f"  {each['advice']}"


def _range(limits: list[float]) -> str:
    return f"{limits[0]:+.0f} to {limits[1]:+.0f} degrees"


def _which(runs: list[list[int]]) -> str:
    """' (frames 3, 10 to 14)', or nothing."""
    if not runs:
        return ""
    parts = [str(a) if a == b else f"{a} to {b}" for a, b in runs[:8]]
    return f" (frames {', '.join(parts)}{', ...' if len(runs) > 8 else ''})"
