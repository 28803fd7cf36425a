"""Where an avatar comes from, kept in its file: the footage, the tool, and a note on consent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from . import __version__

NO_CONSENT = "not stated"


def provenance(clip_info: dict[str, Any], consent: str) -> dict[str, Any]:
    """The record stored as info["provenance"]; `clip_info` is that of the tracked clip.

    `source` has the footage's file name (never its folder) and the SHA-256 of its bytes.
    """
    source = clip_info.get("source", {})
    return {
        "synthetic": True,
        "source": _named(source),
        # Of several clips fitted together, those after the first.
        "more_sources": [_named(file) for file in source.get("files", [])[1:]],
        "tool": "Likeness",
        "tool_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "consent": consent or NO_CONSENT,
    }


def _named(source: dict[str, Any]) -> dict[str, Any]:
    return {key: source[key] for key in ("name", "sha256") if key in source}
