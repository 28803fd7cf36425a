"""The hidden folder beside an output in which an unfinished job waits to be gone on with.

It holds the tracked clip that nobody asked to keep elsewhere, and the fit's checkpoint. One job at
a time may work in it. It goes when the job has succeeded, or when there is nothing to go on with.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..api.errors import LikenessError

CLIP, CHECKPOINT, LOCK = "clip", "checkpoint.npz", "lock"
KEPT = (CLIP, CHECKPOINT)
SUFFIX = ".unfinished"


def work_folder(output: str | Path) -> Path:
    """Where the unfinished work on `output` lies."""
    output = Path(output).absolute()
    return output.with_name(f".{output.stem}{SUFFIX}")


@contextmanager
def working_in(folder: Path, restart: bool = False) -> Iterator[Path]:
    """The folder, made or found, for the length of the block; `restart` empties it first. What a
    killed job left half-written is removed. Raises LikenessError when another job works in it."""
    lock = _locked(folder)
    keep: tuple[str, ...] = KEPT
    try:
        _tidy(folder, () if restart else KEPT)
        yield folder
        keep = ()
    finally:
        _tidy(folder, keep)
        empty = all(path.name == LOCK for path in folder.iterdir())
        lock.close()
        if empty:
            shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path) -> IO[bytes]:
    """The lock of the folder, which is made if it is not there."""
    try:
        folder.mkdir(exist_ok=True)
        lock = (folder / LOCK).open("wb")
    except OSError as error:
        raise LikenessError(
            f"{folder.parent} cannot be written to: {error.strerror}.", "Choose another folder."
        ) from error
    if not _lock(lock):
        lock.close()
        raise LikenessError(
            f"Another fit is at work on {folder.name.removesuffix(SUFFIX)[1:]}.",
            "Wait for it to end, or choose another name.",
        )
    return lock


def _tidy(folder: Path, keep: tuple[str, ...]) -> None:
    """Remove all but the lock and the names in `keep`, as far as the system lets go of it."""
    for path in [path for path in folder.iterdir() if path.name not in (LOCK, *keep)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Lock a file for this process, until it is closed or the process ends however it may. False
    when another holds it; file systems that know no locks let everyone in."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
