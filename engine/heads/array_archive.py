"""NumPy archives (.npz) from strangers: bounded, never unpickled, checked before they are read.

`numpy.load` allocates what a member's header asks for before it looks at the data. Here a member is
read only if its header, its size and the wanted bounds agree.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..api.errors import HeadError

MAX_BYTES = 1 << 30  # unpacked, of what is read
MAX_MEMBERS = 256
NUMBERS_AND_TEXT = "biufUS"
HINT = "Download the file again, or use the built-in head."


def archive_keys(path: str | Path) -> set[str]:
    """Names of the arrays in an archive. Raises HeadError when it is not one."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise HeadError(
            f"{Path(path).name} is not a readable .npz file ({error}).", HINT
        ) from error
    if len(names) > MAX_MEMBERS:
        raise HeadError(f"{Path(path).name} holds {len(names)} arrays, too many.", HINT)
    return {name.removesuffix(".npy") for name in names}


def read_arrays(path: str | Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The wanted arrays that are there. Raises HeadError on anything that is not plain numbers."""
    name = Path(path).name
    try:
        with zipfile.ZipFile(path) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            chosen = {key: members[key] for key in wanted if key in members}
            size = sum(member.file_size for member in chosen.values())
            if len(members) > MAX_MEMBERS or size > MAX_BYTES:
                raise HeadError(f"{name} unpacks to {size >> 20} MiB, too large for a head.", HINT)
            return {key: _read(archive, member) for key, member in chosen.items()}
    except HeadError:
        raise
    except FileNotFoundError as error:
        raise HeadError(f"There is no file at {path}.", "Check the path.") from error
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, MemoryError,
            SyntaxError, zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        raise HeadError(f"{name} is damaged ({error}).", HINT) from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array whose header promises exactly the bytes that the member holds."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"{member.filename} has an unknown format")
        if dtype.hasobject or dtype.kind not in NUMBERS_AND_TEXT or dtype.names:
            raise ValueError(f"{member.filename} holds objects, not numbers")
        count = 1
        for length in shape:
            count *= int(length)
        start = file.tell()
        if any(n < 0 for n in shape) or count * dtype.itemsize != member.file_size - start:
            raise ValueError(f"{member.filename} is not as large as its header says")
        data = file.read(count * dtype.itemsize)
    array = np.frombuffer(data, dtype, count)
    return array.reshape(shape, order="F" if fortran else "C")
