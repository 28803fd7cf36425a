"""What the avatar engine's work says to people: how long it takes, how good its result is."""

from __future__ import annotations


def time_left_text(seconds: float) -> str:
    """'about 4 min left', or nothing while nobody knows."""
    if seconds < 0:
        return ""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    return f"about {round(seconds / 60)} min left"


def quality_text(result: dict) -> str:
    """What a person wants to know of a new avatar; what its footage lacks has its own panel."""
    psnr = (result.get("metrics") or {}).get("psnr")
    return f"{psnr:.1f} dB on frames that it did not learn from." if psnr else ""
