"""Footage to tracked clip: find the head, follow it, solve for its shape and motion, matte it."""

from __future__ import annotations

from .footage_to_clip import track

__all__ = ["track"]
