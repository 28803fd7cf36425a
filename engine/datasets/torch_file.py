"""Files written by `torch.save`, read without torch and without running anything in them.

The zip container of torch 1.6 and later holds a pickle of the structure beside the bytes of each
tensor; the older one is five pickles in a row and then those bytes.
The pickle goes through `PickleMachine`, which builds inert records; arrays and tensors are made
of them when their shapes, types and sizes agree.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..api.errors import HeadError, TrackingError
from ..heads.pickle_reader import ALLOWED, PERSISTENT, Name, PickleMachine, Record, Refused
from ..heads.pickled_arrays import array_from

MAX_BYTES = 64 << 20  # unpacked; a tracked frame takes some 30 KB
MAX_MEMBERS = 4096
MAX_DEPTH = 8
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "torch.FloatStorage": "<f4", "torch.DoubleStorage": "<f8", "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8", "torch.IntStorage": "<i4", "torch.ShortStorage": "<i2",
    "torch.CharStorage": "|i1", "torch.ByteStorage": "|u1", "torch.BoolStorage": "|b1",
}  # fmt: skip
REBUILD = "torch._utils._rebuild_tensor_v2"
TORCH_NAMES = ALLOWED | {REBUILD, *STORAGES}
HINT = "Only numbers are read from such files. Track the footage again with the tracker it is from."


def read_torch_file(path: str | Path) -> Any:
    """What `torch.save` wrote: dicts, lists, texts, numbers, and NumPy arrays for tensors too.

    Raises TrackingError in one line when the file is no such thing, or asks for anything else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _from_zip(file) if file.read(2) == b"PK" else _from_pickles(file)
    except FileNotFoundError as error:
        raise TrackingError(f"There is no file at {path}.", "Check the folder.") from error
    except (Refused, HeadError) as error:
        raise TrackingError(f"{path.name} is refused: {error}.", HINT) from error
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError,
            OverflowError, NotImplementedError, RuntimeError, MemoryError, struct.error,
            zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        raise TrackingError(f"{path.name} is not readable as torch's file ({error}).", HINT) from (
            error
        )


def _from_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        size = sum(member.file_size for member in members)
        if len(members) > MAX_MEMBERS or size > MAX_BYTES:
            raise Refused(f"it unpacks to {size >> 20} MiB in {len(members)} parts")
        structures = [m.filename for m in members if m.filename.endswith("/data.pkl")]
        if len(structures) != 1:
            raise Refused("it has no data.pkl")
        value = PickleMachine(TORCH_NAMES, persistent=True).run(archive.read(structures[0]))
        folder = structures[0].removesuffix("data.pkl")
        return _Values(lambda key, size: archive.read(f"{folder}data/{key}")).plain(value)


def _from_pickles(file: BinaryIO) -> Any:
    """The container before torch 1.6: magic, version, machine, structure, names of the storages."""
    if file.seek(0, 2) > MAX_BYTES:
        raise Refused(f"it is larger than {MAX_BYTES >> 20} MiB")
    file.seek(0)
    magic, _, _, value, keys = (
        PickleMachine(TORCH_NAMES, persistent=True).run(file) for _ in range(5)
    )
    if magic != LEGACY_MAGIC or not isinstance(keys, list):
        raise Refused("it was not written by torch")
    start = file.tell()

    def stored(wanted: str, size: int) -> bytes:
        # Storages follow in the order of `keys`, each after its count; only the first is near.
        file.seek(start)
        for key in keys:
            (count,) = struct.unpack("<q", file.read(8))
            if key == wanted:
                return file.read(size)
            file.seek(count * sizes[key], 1)
        raise Refused("a tensor has no data")

    sizes = _storage_sizes(value)
    return _Values(stored).plain(value)


def _storage_sizes(value: Any, depth: int = 0) -> dict[str, int]:
    """Bytes of a number in each storage that the records mention."""
    if depth > 2 * MAX_DEPTH:
        raise Refused("it is nested too deeply")
    if isinstance(value, Record) and value.name == PERSISTENT:
        _, kind, key, *_ = value.arguments[0]
        return {key: np.dtype(STORAGES[kind.dotted]).itemsize}
    parts: Any = ()
    if isinstance(value, Record):
        parts = value.arguments
    elif isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    found: dict[str, int] = {}
    for part in parts:
        found |= _storage_sizes(part, depth + 1)
    return found


class _Values:
    """Turns a pickle's records into plain values and arrays; `stored` gives a storage's bytes."""

    def __init__(self, stored: Callable[[str, int], bytes]) -> None:
        self.stored = stored

    def plain(self, value: Any, depth: int = 0) -> Any:
        """The value without records; what is no number, text or array is refused."""
        if depth > MAX_DEPTH:
            raise Refused("it is nested too deeply")
        if isinstance(value, dict):
            return {key: self.plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, Record):
            return self._tensor(value) if value.name == REBUILD else array_from(value, "an array")
        if isinstance(value, Name):
            raise Refused(f"it holds {value.dotted}")
        return value

    def _tensor(self, record: Record) -> np.ndarray:
        """A view of a storage: (storage, offset, size, stride, ...)."""
        storage, offset, size, stride = record.arguments[:4]
        numbers = self._storage(storage)
        lengths = [int(n) for n in size]
        steps = [int(n) for n in stride]
        if len(lengths) != len(steps) or min(lengths + steps + [int(offset)], default=0) < 0:
            raise Refused("a tensor has no shape")
        last = int(offset) + sum((n - 1) * s for n, s in zip(lengths, steps, strict=True))
        if 0 not in lengths and last >= len(numbers):
            raise Refused("a tensor reaches beyond its data")
        strides = [step * numbers.itemsize for step in steps]
        view = np.lib.stride_tricks.as_strided(numbers[int(offset) :], lengths, strides)
        return view.copy()

    def _storage(self, reference: Record) -> np.ndarray:
        if not isinstance(reference, Record) or reference.name != PERSISTENT:
            raise Refused("a tensor has no data")
        _, kind, key, _, count, *_ = reference.arguments[0]
        dtype = np.dtype(STORAGES[kind.dotted])
        data = self.stored(key, int(count) * dtype.itemsize)
        if len(data) != int(count) * dtype.itemsize:
            raise Refused("a tensor's data are cut short")
        return np.frombuffer(data, dtype)
