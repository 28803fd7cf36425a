"""Reading and writing *.likeness: a zip of stored (never compressed) .npy members and header.json.

Written atomically, read without pickle. A file may come from anywhere: members are known by name,
never by a path inside the file; since they are not compressed, no member can be larger than the
file itself, and each must have exactly the size that the bounded header counts give it.
"""

from __future__ import annotations

import io
import json
import tokenize
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .atomic import replacing
from .avatar_layout import pack, unpack
from .avatar_rules import (
    FORMAT,
    MAX_BYTES,
    VERSION,
    LayoutError,
    array_bytes,
    array_table,
    check_arrays,
    check_header,
    require,
)
from .baked import BakedAvatar
from .errors import AvatarFileError

HEADER = "header.json"
MAX_HEADER_BYTES = 4 << 20
MAX_NPY_HEADER = 4096
EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same avatar gives the same bytes
DAMAGED_HINT = "Import it again from its source, or create the avatar again."

# What zipfile, json and NumPy raise on hostile bytes; RuntimeError covers encrypted members,
# unknown compression (NotImplementedError) and nesting too deep (RecursionError).
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    RuntimeError,
    EOFError,
    OverflowError,
    MemoryError,
    zipfile.BadZipFile,
    tokenize.TokenError,
)


def write_avatar(path: str | Path, avatar: BakedAvatar) -> None:
    """Write the avatar to `path`, whole or not at all. Raises AvatarFileError."""
    path = Path(path)
    try:
        header, arrays = pack(avatar)
        header["arrays"] = {
            name: {"dtype": array.dtype.str, "shape": list(array.shape)}
            for name, array in arrays.items()
        }
        text = json.dumps(header, allow_nan=False, indent=1)
        require(len(text) <= MAX_HEADER_BYTES, f"its header is {len(text)} bytes long")
    except (TypeError, ValueError) as error:
        raise AvatarFileError(
            f"The avatar cannot be written to {path.name}: {_one_line(error)}.",
            "The fit went wrong; create the avatar again.",
        ) from error
    try:
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(zipfile.ZipInfo(HEADER, EPOCH), text)
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w") as member:
                    np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
    except OSError as error:
        raise AvatarFileError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Choose a folder that exists, with room and permission to write.",
        ) from error


def read_avatar(path: str | Path) -> BakedAvatar:
    """The avatar in the file. Raises AvatarFileError for anything that is not a sound avatar."""
    path = Path(path)
    try:
        with _open(path) as archive:
            header = _read_header(archive, path)
            arrays = {
                name: _read_array(archive, name, dtype, shape)
                for name, (dtype, shape) in array_table(header).items()
            }
        check_arrays(header, arrays)
        return unpack(header, arrays)
    except OSError as error:
        _refuse_unreadable(path, error)
    except _DAMAGE as error:
        _refuse_damaged(path, error)


def read_info(path: str | Path) -> dict[str, Any]:
    """The checked header: name, counts, levels, head, camera, info. Reads no array.

    Raises AvatarFileError.
    """
    path = Path(path)
    try:
        with _open(path) as archive:
            return _read_header(archive, path)
    except OSError as error:
        _refuse_unreadable(path, error)
    except _DAMAGE as error:
        _refuse_damaged(path, error)


def _open(path: Path) -> zipfile.ZipFile:
    require(path.stat().st_size <= MAX_BYTES + (64 << 20), "it is larger than any avatar")
    return zipfile.ZipFile(path)


def _read_header(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Parse and check the header, and check that the members are those it announces."""
    members = archive.infolist()
    names = [member.filename for member in members]
    require(HEADER in names, "it has no header.json")
    for member in members:
        stored = member.compress_type == zipfile.ZIP_STORED
        require(
            stored and member.file_size == member.compress_size,
            f"{member.filename[:60]!r} is compressed",
        )
    require(archive.getinfo(HEADER).file_size <= MAX_HEADER_BYTES, "its header is too long")
    header = json.loads(archive.read(HEADER), parse_constant=_refuse_constant)
    require(isinstance(header, dict) and header.get("format") == FORMAT, "it is not an avatar")
    version = header.get("version")
    if isinstance(version, int) and version > VERSION:
        raise AvatarFileError(
            f"{path.name} has format version {version}; this version of Likeness reads up to"
            f" {VERSION}.",
            "Update Likeness.",
        )
    check_header(header)
    table = array_table(header)
    manifest = {name: {"dtype": d, "shape": list(shape)} for name, (d, shape) in table.items()}
    require(header.get("arrays") == manifest, "its list of arrays does not fit its counts")
    expected = {HEADER, *(f"{name}.npy" for name in table)}
    require(sorted(names) == sorted(expected), "its members are not those of an avatar")
    return header


def _read_array(
    archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...]
) -> np.ndarray:
    size = archive.getinfo(f"{name}.npy").file_size
    extra = size - array_bytes(dtype, shape)
    require(0 < extra <= MAX_NPY_HEADER, f"{name} has the wrong size")
    stream = io.BytesIO(archive.read(f"{name}.npy"))
    # The array's own header is checked before NumPy allocates what it asks for.
    require(np.lib.format.read_magic(stream) == (1, 0), f"{name} is not in npy format 1.0")
    found_shape, fortran, found_dtype = np.lib.format.read_array_header_1_0(stream)
    same = found_shape == shape and found_dtype == np.dtype(dtype) and not fortran
    require(same, f"{name} is {found_dtype} {found_shape}, not {dtype} {shape}")
    data = stream.read()
    require(len(data) == array_bytes(dtype, shape), f"{name} has the wrong size")
    return np.frombuffer(bytearray(data), dtype).reshape(shape)


def _refuse_constant(name: str) -> NoReturn:
    raise LayoutError(f"its header holds {name}")


def _refuse_unreadable(path: Path, error: OSError) -> NoReturn:
    raise AvatarFileError(
        f"{path} cannot be read: {error.strerror or error}.",
        "Give the path of a .likeness file.",
    ) from error


def _refuse_damaged(path: Path, error: BaseException) -> NoReturn:
    raise AvatarFileError(
        f"{path.name} is not a sound avatar file: {_one_line(error)}.", DAMAGED_HINT
    ) from error


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return (text or type(error).__name__)[:200]
