"""Errors meant for people. Each says what was wrong and carries a hint: what to do about it."""

from __future__ import annotations


class LikenessError(Exception):
    """A problem the user can act on. The command line prints it in one line and exits with 2."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class FootageError(LikenessError):
    """The footage cannot be read: missing, not a video, cut short, too short."""


class TrackingError(LikenessError):
    """The footage was read but no single head could be tracked in it."""


class AvatarFileError(LikenessError):
    """A .likeness file is damaged, hand-edited, or from a newer version."""


class HeadError(LikenessError):
    """A head model cannot be read or lacks something that is needed."""


class DeviceError(LikenessError):
    """The requested device or rasteriser backend is not available."""


class ModelError(LikenessError):
    """A network's weights are missing, damaged, or of another network."""


class Cancelled(LikenessError):
    """The user cancelled the work. Not a failure; nothing half-written is left."""
