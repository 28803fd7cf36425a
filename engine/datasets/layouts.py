"""Which layout a folder has, by what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..api.errors import TrackingError
from ..footage import footage_digest
from . import flashavatar, insta, metrical, rgbavatar, vhap
from .flame_track import FlameTrack


class Layout(NamedTuple):
    """One way in which people hand tracked heads on."""

    label: str
    version: str  # of FLAME
    images: str  # the folder with the images
    matches: Callable[[Path], bool]
    read_one: Callable[[Path], FlameTrack]
    read_camera: Callable[[Path, str], FlameTrack] | None = None
    """Where there may be several cameras: the one of that name, the best for an empty name."""

    def footage(self, folder: Path) -> Path:
        """The images alone. Raises TrackingError where they are of several cameras."""
        images = folder / self.images
        if self.read_camera is not None:
            cameras = {path.stem.partition("_")[2] for path in images.glob("*_*")}
            if len(cameras) > 1:
                raise TrackingError(
                    f"{folder.name} has the images of {len(cameras)} cameras in one folder.",
                    "Copy those of one camera into a folder and give that.",
                )
        return images

    def read(self, folder: Path, camera: str = "") -> FlameTrack:
        """The tracked frames. Raises TrackingError, in one line, for whatever is wrong."""
        if self.read_camera is not None:
            return self.read_camera(folder, camera)
        if camera:
            raise TrackingError(
                f"{folder.name} has one camera, without a name.", "Leave the camera out."
            )
        return self.read_one(folder)


# The more special first: INSTA's folders also look like RGBAvatar's.
LAYOUTS = (
    Layout(
        "VHAP / GaussianAvatars / NeRSemble", "2023", "images",
        vhap.matches, vhap.read, vhap.read,
    ),
    Layout("INSTA", "2020", "images", insta.matches, insta.read),
    Layout("FlashAvatar", "2020", "imgs", flashavatar.matches, flashavatar.read),
    Layout(
        "RGBAvatar / GaussianBlendshapes", "2020", "images", rgbavatar.matches, rgbavatar.read
    ),
    Layout("metrical-tracker", "2020", "input", metrical.matches, metrical.read),
)  # fmt: skip


def layout_of(folder: str | Path) -> Layout | None:
    """The layout of a folder; None when it is no tracked data set."""
    folder = Path(folder)
    if not folder.is_dir():
        return None
    return next((layout for layout in LAYOUTS if layout.matches(folder)), None)


def source_digest(path: Path, retrack: bool) -> str:
    """What tells whether the footage or data set that a clip was made of has changed."""
    layout = layout_of(path)
    if layout is None:
        return footage_digest(path)
    return footage_digest(layout.footage(path)) if retrack else folder_digest(path)


def folder_digest(folder: Path) -> str:
    """SHA-256 of a data set's file names, sizes and times: it may hold gigabytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        stat = path.stat()
        digest.update(f"{path.relative_to(folder)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
