"""Arrays out of the inert records of `pickle_reader`: NumPy, SciPy sparse, chumpy-shaped.

Each is built from its bytes after its shape, dtype and size have been found to agree; nothing in
the file decides which code runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..api.errors import HeadError
from .pickle_reader import HINT, Record

MAX_DENSE = 1 << 26  # numbers of a sparse matrix once it is dense
MAX_DEPTH = 6  # chumpy arrays made of chumpy arrays


def array_from(value: Any, name: str, depth: int = 0) -> np.ndarray:
    """The array that a value of a pickle stands for. Raises HeadError when it is none."""
    try:
        found = _array(value, depth)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
        raise HeadError(f"{name} is not a plain array ({error}).", HINT) from error
    if found.dtype.kind not in "biuf":
        raise HeadError(f"{name} holds {found.dtype}, not numbers.", HINT)
    return found


def _array(value: Any, depth: int) -> np.ndarray:
    if depth > MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list | tuple | int | float):
        return np.asarray(_plain(value), np.float64)
    if not isinstance(value, Record):
        raise ValueError(f"it is a {type(value).__name__}")
    if value.name == "copy_reg._reconstructor" or value.name == "copyreg._reconstructor":
        value = Record(value.arguments[0].dotted, (), value.state)
    module = value.name.split(".")[0]
    if module == "chumpy":
        return _chumpy(value.name, value.state, depth)
    if module == "scipy":
        return _sparse(value.name, value.state)
    if value.name.endswith("multiarray._reconstruct"):
        return _numpy(value.state)
    if value.name.endswith("numeric._frombuffer"):
        data, dtype, shape, order = value.arguments
        return _shaped(data, _dtype(dtype), shape, order == "F")
    if value.name.endswith("multiarray.scalar"):
        dtype, data = value.arguments
        return _shaped(data, _dtype(dtype), (), False)
    raise ValueError(f"it is a {value.name}")


def _plain(value: Any) -> Any:
    """A list of numbers, or a list of such lists."""
    if isinstance(value, list | tuple):
        return [_plain(item) if isinstance(item, list | tuple) else float(item) for item in value]
    return float(value)


def _numpy(state: Any) -> np.ndarray:
    """An array's state: version, shape, dtype, whether in Fortran order, bytes."""
    _, shape, dtype, fortran, data = state
    return _shaped(data, _dtype(dtype), shape, bool(fortran))


def _shaped(data: Any, dtype: np.dtype, shape: Any, fortran: bool) -> np.ndarray:
    raw = _bytes(data)
    count = 1
    for length in shape:
        if not isinstance(length, int) or length < 0:
            raise ValueError("its shape is not one")
        count *= length
    if count * dtype.itemsize != len(raw):
        raise ValueError(f"its shape {tuple(shape)} does not fit its {len(raw)} bytes")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


def _bytes(value: Any) -> bytes:
    """Bytes as Python 3 writes them, or as Python 2 did: text in latin-1."""
    if isinstance(value, Record) and value.name == "_codecs.encode":
        value = value.arguments[0]
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    raise ValueError("its data are not bytes")


def _dtype(value: Any) -> np.dtype:
    """A dtype of plain numbers."""
    if not isinstance(value, Record) or value.name != "numpy.dtype":
        raise ValueError("its dtype is not one")
    code = value.arguments[0]
    code = code.decode("latin-1") if isinstance(code, bytes) else code
    if not isinstance(code, str) or len(code) > 4 or code[0] not in "biuf":
        raise ValueError(f"its dtype is {str(code)[:20]!r}")
    order = value.state[1] if value.state else "="
    order = order.decode("latin-1") if isinstance(order, bytes) else order
    return np.dtype(order + code if order in ("<", ">") else code)


def _chumpy(name: str, state: Any, depth: int) -> np.ndarray:
    """A chumpy array holds its numbers in `x`; a selection, indices into another one."""
    if name.endswith("Select"):
        whole = _array(state["a"], depth + 1).ravel()
        index = _array(state["idxs"], depth + 1).astype(np.int64)
        if index.size and not 0 <= index.min() <= index.max() < whole.size:
            raise ValueError("it selects what is not there")
        shape = state.get("preferred_shape")
        picked = whole[index.ravel()]
        return picked if shape is None else picked.reshape(tuple(int(n) for n in shape))
    return _array(state["x"], depth + 1)


def _sparse(name: str, state: Any) -> np.ndarray:
    """A compressed or coordinate sparse matrix, made dense."""
    rows, columns = (int(n) for n in state.get("_shape", state.get("shape")))
    if rows < 0 or columns < 0 or rows * columns > MAX_DENSE:
        raise ValueError(f"its shape {rows} x {columns} is too large")
    data = _array(state["data"], 1)
    dense = np.zeros((rows, columns))
    if name.endswith("coo_matrix"):
        row, column = _array(state["row"], 1), _array(state["col"], 1)
    else:
        ends, minor = _array(state["indptr"], 1).astype(np.int64), _array(state["indices"], 1)
        counts = np.diff(ends)
        if (counts < 0).any() or counts.sum() != len(data) or ends[0] != 0:
            raise ValueError("its rows do not add up")
        major = np.repeat(np.arange(len(counts)), counts)
        row, column = (minor, major) if name.endswith("csc_matrix") else (major, minor)
    row, column = row.astype(np.int64), column.astype(np.int64)
    if len(row) != len(data) or len(column) != len(data):
        raise ValueError("its rows do not add up")
    if len(data) and (min(row.min(), column.min()) < 0):
        raise ValueError("it points outside itself")
    np.add.at(dense, (row, column), data)
    return dense
