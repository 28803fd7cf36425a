"""Downloads a head model, only after the user has agreed, and says exactly what came.

A checksum is compared where the publisher states one (`Source.sha256`). Where none is known to us
the file's own is reported, so that the user can compare it; it is never made up.
"""

from __future__ import annotations

import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..api.errors import HeadError
from ..api.head_library import HeadCard
from .checksum import digest
from .library import add_head
from .sources import SOURCES, Source

MAX_BYTES = 2 << 30
MAX_OBJ_BYTES = 64 << 20
SECONDS = 30.0
BLOCK = 1 << 20
ICT_FOLDER = "FaceXModel"
Report = Callable[[float], None]


@dataclass(frozen=True)
class Downloaded:
    """What came."""

    card: HeadCard
    url: str
    bytes: int
    sha256: str
    compared: bool  # with a checksum that the publisher states


def download_head(
    key: str, consent: bool, folder: Path | None = None, report: Report | None = None
) -> Downloaded:
    """Download, check, convert and add the head of SOURCES[key]. Raises HeadError and Cancelled."""
    source = SOURCES.get(key)
    if source is None or not source.url:
        offered = ", ".join(name for name, one in SOURCES.items() if one.url)
        raise HeadError(f"{key} cannot be downloaded.", f"Those that can: {offered}.")
    if not consent:
        raise HeadError(
            f"{source.label} ({source.licence}) would be downloaded from {source.url}.",
            "Say that you agree: --yes on the command line.",
        )
    with tempfile.TemporaryDirectory(prefix="likeness-head-") as kept:
        file = Path(kept) / PurePosixPath(source.url).name
        fetch(source.url, file, report or (lambda share: None))
        sha256 = digest(file)
        _compare(source, sha256)
        path = _unpacked(file) if file.suffix == ".zip" else file
        card = add_head(path, folder)
        return Downloaded(card, source.url, file.stat().st_size, sha256, bool(source.sha256))


def fetch(url: str, target: Path, report: Report) -> None:
    """The bytes at `url` into `target`, bounded and whole. Raises HeadError."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer, target.open("wb") as file:
            expected = int(answer.headers.get("Content-Length") or 0)
            if expected > MAX_BYTES:
                raise HeadError(f"{url} offers {expected >> 20} MiB, too much.", "Check the URL.")
            came = 0
            while block := answer.read(BLOCK):
                came += len(block)
                if came > MAX_BYTES:
                    raise HeadError(f"{url} does not end.", "Check the URL.")
                file.write(block)
                report(came / expected if expected else 0.5)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise HeadError(
            f"{url} cannot be downloaded ({error}).", "Check the connection, or fetch it yourself."
        ) from error
    if expected and came != expected:
        raise HeadError(f"{url} was cut short.", "Try again.")


def _compare(source: Source, sha256: str) -> None:
    if source.sha256 and sha256 != source.sha256:
        raise HeadError(
            f"{source.label} came with checksum {sha256[:16]}..., expected {source.sha256[:16]}...",
            "Somebody changed the file on its way: do not use it; try again later.",
        )


def _unpacked(file: Path) -> Path:
    """The OBJ files of the kit's model folder out of its repository's zip; paths are ignored."""
    folder = file.with_name(ICT_FOLDER)
    folder.mkdir()
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                place = PurePosixPath(member.filename)
                if place.suffix != ".obj" or place.parent.name != ICT_FOLDER:
                    continue
                if member.file_size > MAX_OBJ_BYTES:
                    raise HeadError(f"{place.name} is too large for a head.", "Try again later.")
                with archive.open(member) as source, (folder / place.name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise HeadError(f"{file.name} is not a readable zip ({error}).", "Try again.") from error
    return folder
